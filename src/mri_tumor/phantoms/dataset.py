"""Data sets of synthetic slices, in memory and as a folder of PNG files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mri_tumor.errors import ParameterError
from mri_tumor.labels import BINARY, FOUR, UNKNOWN_TUMOR
from mri_tumor.phantoms.sequences import SEQUENCES
from mri_tumor.phantoms.slices import ORDER, PLANES, Slice, draw_kind, draw_slice, stream

_SIZES = (32, 1024)
_NOTICE = "Synthetic phantom, not a scan of any person. Research software, not a medical device."


@dataclass(frozen=True, eq=False, repr=False)
class Phantoms:
    """Synthetic brain-MRI-like slices with their tumor masks.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, size, size)
        Grey levels in [0, 255].
    labels : ndarray of str, shape (n,)
        Class of each image, one of `classes`.
    masks : ndarray of bool, shape (n, size, size)
        Where the tumor is, with the edema around it; all false where there is none.
    kinds : ndarray of str, shape (n,)
        What was drawn, one of the four classes: in a binary set, which kind "tumor" is.
    planes : ndarray of str, shape (n,)
        "axial", "coronal" or "sagittal".
    sequences : ndarray of str, shape (n,)
        "T1", "T1c" (with contrast agent), "T2" or "FLAIR".
    skulls : ndarray of bool, shape (n,)
        Whether skull and scalp are shown.
    sellas : ndarray of bool, shape (n,)
        Whether the slice passes the sella, where pituitary tumors grow.
    classes : tuple of str
        Classes that were asked for.
    seed : int
        Seed they were made from.
    paths : tuple of Path
        Files of the images, empty if none were written.
    mask_paths : tuple of Path
        Files of the masks (0 and 255), empty if none were written.

    Examples
    --------
    >>> made = make_phantoms(4, size=64, seed=0)
    >>> made.images.shape, made.masks.dtype.name, len(made)
    ((4, 64, 64), 'bool', 4)
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.str_]
    masks: NDArray[np.bool_]
    kinds: NDArray[np.str_]
    planes: NDArray[np.str_]
    sequences: NDArray[np.str_]
    skulls: NDArray[np.bool_]
    sellas: NDArray[np.bool_]
    classes: tuple[str, ...]
    seed: int
    paths: tuple[Path, ...] = ()
    mask_paths: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        counts = ", ".join(f"{np.sum(self.labels == name)} {name}" for name in self.classes)
        size = self.images.shape[1]
        return f"<Phantoms: {len(self)} synthetic {size}x{size} slices ({counts})>"


def make_phantoms(
    n: int = 100,
    *,
    classes: Sequence[str] = FOUR,
    size: int = 224,
    planes: Sequence[str] = PLANES,
    sequences: Sequence[str] = SEQUENCES,
    skull: bool | None = None,
    seed: int = 0,
    folder: str | PathLike[str] | None = None,
) -> Phantoms:
    """Draw synthetic brain-MRI-like slices with and without a tumor.

    They are drawn from curves and noise: no pixel comes from a person, and what a model scores
    on them says nothing about real scans. The tumors are larger and stand out more than most
    real ones, so that a small model can learn them from a few hundred images.

    Image ``i`` of a seed depends on `n` in no way. Plane, sequence, skull, pose and brightness
    are drawn without regard to the class, and so is the level of the slice, but for one thing:
    a pituitary tumor needs a slice through the sella, which half of all other slices are. With
    the two classes of `BINARY` the level tells nothing of the class either.

    Parameters
    ----------
    n : int, default=100
        Number of images, at least 1. Each takes ``2 * size**2`` bytes of memory.
    classes : sequence of str, default=FOUR
        Some of "glioma", "meningioma", "notumor" and "pituitary"; or "notumor" and "tumor",
        where a tumor is of one of the three kinds by chance. Every class is drawn as often as
        any other, or once more.
    size : int, default=224
        Side of the images in pixels, from 32 to 1024.
    planes : sequence of str, default=("axial", "coronal", "sagittal")
        Planes to draw.
    sequences : sequence of str, default=("T1", "T1c", "T2", "FLAIR")
        Sequences to draw; "T1c" is T1 after a contrast agent.
    skull : bool, optional
        Show skull and scalp (True), strip them (False), or show them in about three of four
        images (None).
    seed : int, default=0
        Seed of all chance, not negative. Two classes of one seed and number share anatomy,
        pose and noise, as far as the sella allows.
    folder : str or path-like, optional
        Folder to write to, new or empty: the images as ``<class>/synthetic_0000.png``, numbered
        over all classes. The masks go to a folder beside it, named ``<folder>-masks``, with the
        same names in it, lest a mask be taken for an image. Each file says in its metadata that
        it is synthetic.

    Returns
    -------
    Phantoms
        Images, labels, masks and what else is known of each image.

    Raises
    ------
    ParameterError
        If an argument is out of range, a name is unknown, or a folder to write to is not empty.

    Examples
    --------
    >>> phantoms = make_phantoms(8, size=64, seed=1)
    >>> phantoms
    <Phantoms: 8 synthetic 64x64 slices (2 glioma, 2 meningioma, 2 notumor, 2 pituitary)>
    >>> phantoms.images.shape, phantoms.images.dtype.name
    ((8, 64, 64), 'uint8')
    >>> bool(phantoms.masks[phantoms.labels == "notumor"].any())
    False
    """
    n = _integer("n", n, 1, None)
    size = _integer("size", size, *_SIZES)
    seed = _integer("seed", seed, 0, None)
    names = _choice("classes", classes, (*FOUR, UNKNOWN_TUMOR))
    if UNKNOWN_TUMOR in names and not set(names) <= set(BINARY):
        msg = (
            f"classes={names!r}: 'tumor' stands for all three kinds and goes with 'notumor' "
            f"only; use {BINARY!r} or a choice of {FOUR!r}"
        )
        raise ParameterError(msg)
    plane_names = _choice("planes", planes, PLANES)
    sequence_names = _choice("sequences", sequences, SEQUENCES)
    if skull not in {None, True, False}:
        msg = f"skull={skull!r} is not True, False or None (by chance)"
        raise ParameterError(msg)
    folders = None if folder is None else _new_folders(Path(folder))

    images = np.empty((n, size, size), np.uint8)
    masks = np.empty((n, size, size), np.bool_)
    labels, slices, paths, mask_paths = [], [], [], []
    for i, (label, kind) in enumerate(_plan(seed, names, n)):
        part = draw_slice(
            seed,
            i,
            kind,
            size=size,
            planes=plane_names,
            sequences=sequence_names,
            skull=None if skull is None else bool(skull),
        )
        images[i], masks[i] = part.image, part.mask
        labels.append(label)
        slices.append(part)
        if folders is not None:
            path, mask_path = (each / label / f"synthetic_{i:04d}.png" for each in folders)
            about = _describe(part, label, seed, i)
            _write(path, images[i], about)
            _write(mask_path, masks[i] * np.uint8(255), about)
            paths.append(path)
            mask_paths.append(mask_path)
    return Phantoms(
        images=images,
        labels=np.array(labels),
        masks=masks,
        kinds=np.array([part.kind for part in slices]),
        planes=np.array([part.plane for part in slices]),
        sequences=np.array([part.sequence for part in slices]),
        skulls=np.array([part.skull for part in slices]),
        sellas=np.array([part.sella for part in slices]),
        classes=names,
        seed=seed,
        paths=tuple(paths),
        mask_paths=tuple(mask_paths),
    )


def _plan(seed: int, classes: tuple[str, ...], n: int) -> Iterator[tuple[str, str]]:
    """Yield label and kind of each image: every class once in each block, in random order."""
    for i in range(n):
        block, place = divmod(i, len(classes))
        rng = stream(seed, block, ORDER)
        label = classes[int(rng.permutation(len(classes))[place])]
        yield label, draw_kind(seed, i) if label == UNKNOWN_TUMOR else label


def _integer(name: str, value: object, low: int, high: int | None) -> int:
    """Return an integer argument, or raise for one that is none or out of range."""
    limits = f"at least {low}" if high is None else f"from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        msg = f"{name}={value!r} is not an integer; give one {limits}"
        raise ParameterError(msg)
    if value < low or (high is not None and value > high):
        msg = f"{name}={value!r} is out of range; give an integer {limits}"
        raise ParameterError(msg)
    return int(value)


def _choice(name: str, values: object, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return a choice of names, or raise for an empty one, an unknown or a repeated name."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        msg = f"{name}={values!r} is no sequence of names; give one such as {known[:2]!r}"
        raise ParameterError(msg)
    chosen = tuple(values)
    unknown = [value for value in chosen if value not in known]
    if not chosen or unknown or len(set(chosen)) < len(chosen):
        wrong = f"does not know {unknown[0]!r}" if unknown else "is empty or repeats a name"
        msg = f"{name}={chosen!r} {wrong}; choose from {', '.join(map(repr, known))}, each once"
        raise ParameterError(msg)
    return tuple(str(value) for value in chosen)


def _new_folders(folder: Path) -> tuple[Path, Path]:
    """Return the folders for images and masks, or raise if there is something in one."""
    whole = folder.expanduser().resolve()
    folders = whole, whole.parent / f"{whole.name}-masks"
    for each in folders:
        if each.exists() and not each.is_dir():
            msg = f"folder: {each} is a file; name a new folder"
            raise ParameterError(msg)
        if each.is_dir() and any(each.iterdir()):
            msg = f"folder: {each} is not empty; name a new folder, or empty this one first"
            raise ParameterError(msg)
    try:
        for each in folders:
            each.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"folder: {each} cannot be made ({error.strerror}); name one that you may write to"
        raise ParameterError(msg) from error
    return folders


def _describe(part: Slice, label: str, seed: int, index: int) -> PngInfo:
    """Return the metadata of a file, which says what it is."""
    about = PngInfo()
    about.add_text("Description", _NOTICE)
    about.add_text("Software", "mri-tumor make_phantoms")
    facts = {"synthetic": "yes", "label": label, "kind": part.kind, "plane": part.plane}
    facts |= {"sequence": part.sequence, "skull": "yes" if part.skull else "no"}
    facts |= {"seed": str(seed), "index": str(index)}
    for key, value in facts.items():
        about.add_text(f"phantom:{key}", value)
    return about


def _write(path: Path, pixels: NDArray[np.uint8], about: PngInfo) -> None:
    """Write a PNG file, the same bytes for the same pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, pnginfo=about, compress_level=3)
