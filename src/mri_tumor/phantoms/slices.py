"""One synthetic slice from its number: anatomy, then the tumor, then the scanner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mri_tumor.labels import NEGATIVE
from mri_tumor.phantoms import axial, coronal, sagittal
from mri_tumor.phantoms.canvas import Canvas
from mri_tumor.phantoms.scanner import draw_pose, draw_scanner
from mri_tumor.phantoms.sequences import draw_tissues
from mri_tumor.phantoms.tumors import add_tumor

PLANES: Final = ("axial", "coronal", "sagittal")

_Scene = Callable[[Canvas, float, float], None]
# By plane: the slice through the sella, then those that miss it.
_SCENES: Final[dict[str, tuple[_Scene, ...]]] = {
    "axial": (axial.base, axial.ventricles, axial.above),
    "coronal": (coronal.front, coronal.back),
    "sagittal": (sagittal.midline, sagittal.beside),
}
# Streams of chance of one image. The tumor's is its own, so that the same image can be drawn
# with and without a tumor, or with another one.
ORDER, _ANATOMY, _SCAN, _TUMOR, _KIND = 0, 1, 2, 3, 4


@dataclass(frozen=True)
class Slice:
    """One synthetic slice: pixels, tumor mask and what it shows."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    kind: str
    plane: str
    sequence: str
    skull: bool
    sella: bool


def stream(seed: int, *keys: int) -> np.random.Generator:
    """Return the random numbers that belong to a seed and a place in the data set."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=keys))


def draw_kind(seed: int, index: int) -> str:
    """Return the kind of tumor of an image of a binary set.

    A third of all tumors are of each kind, and slices through the sella have no more tumors
    than others: two thirds of the tumors there are pituitary, none elsewhere.
    """
    sella = stream(seed, index, _ANATOMY).random(4)[3] < 0.5
    chance = stream(seed, index, _KIND).random()
    if sella and chance < 2 / 3:
        return "pituitary"
    return "glioma" if int(chance * 12) % 2 else "meningioma"


def draw_slice(
    seed: int,
    index: int,
    kind: str,
    *,
    size: int,
    planes: tuple[str, ...],
    sequences: tuple[str, ...],
    skull: bool | None,
) -> Slice:
    """Draw image `index` of the data set of a seed.

    Parameters
    ----------
    seed, index : int
        Which image; nothing else about the data set matters to it.
    kind : {"glioma", "meningioma", "notumor", "pituitary"}
        What it shows. Anatomy, pose, sequence and noise are the same for every kind, except
        that "pituitary" moves the slice to the sella.
    size : int
        Side in pixels.
    planes, sequences : tuple of str
        What to choose from.
    skull : bool or None
        With skull and scalp, without, or by chance (three in four with).

    Returns
    -------
    Slice
        The image and what it shows.
    """
    rng = stream(seed, index, _ANATOMY)
    at = rng.random(4)  # first and always, so that options change nothing else
    plane = planes[int(at[0] * len(planes))]
    sequence = sequences[int(at[1] * len(sequences))]
    with_skull = bool(at[2] < 0.75) if skull is None else skull
    scenes = _SCENES[plane]
    through_sella = kind == "pituitary" or bool(at[3] < 0.5)
    scene = scenes[0] if through_sella else scenes[1 + int((2 * at[3] - 1) * (len(scenes) - 1))]

    scan = stream(seed, index, _SCAN)
    pose = draw_pose(plane, scan, skull=with_skull)
    scanner = draw_scanner(plane, scan)
    canvas = Canvas(size, pose, draw_tissues(sequence, scan), rng)
    scene(canvas, float(rng.uniform(0.75, 1.10)), float(rng.uniform(0.5, 1.3)))
    if kind == NEGATIVE:
        tumor = np.zeros_like(canvas.image)
    else:
        tumor = add_tumor(canvas, kind, sequence, stream(seed, index, _TUMOR))
    if not with_skull:
        canvas.image *= np.maximum(canvas.brain, tumor)
    return Slice(
        image=scanner.scan(canvas.image, scan),
        mask=tumor > 0.5,
        kind=kind,
        plane=plane,
        sequence=sequence,
        skull=with_skull,
        sella=through_sella,
    )
