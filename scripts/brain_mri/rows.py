"""What the packaged model is trained on: a table of rows, each one variant of one image.

Every image gives itself and some robust variants. Healthy images give more of them, and some
with a lesion drawn in or taken over from another patient; these are tumors of unknown kind.
Images with a box also come with the tumor taken out; these are healthy.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.data import load_dataset
from mri_tumor.images import read_image
from mri_tumor.images.preprocessing import Geometry, Preprocessing, preprocess
from mri_tumor.training.erasing import erase, patch
from mri_tumor.training.lesions import Donor, draw_lesion, transplant
from mri_tumor.training.robust import Robust, ellipse_cover
from mri_tumor.training.skull import strip_skull

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.data import Dataset

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")
FAILURES = ("without_lesion", "not_stripped", "not_erased")  # what could not be done with a row
AVERAGES, PEOPLE = "averages", "people"
JUDGED = ("kaggle", "br35h")  # all other sources are only ever learned from

Box = tuple[float, float, float, float]  # centre x and y, width and height, as fractions

# Rows of one image by its kind. Healthy images are fewer, so they give more.
HEALTHY = ("plain", *["robust"] * 4, "drawn", "drawn", "transplant")
TUMOR = ("plain", *["robust"] * 3)
# Taking a tumor out leaves traces, so some slices have such traces elsewhere and keep their label.
BOXED = ("erased", "erased", "erased", "patched")


@dataclass(frozen=True, eq=False)
class Rows:
    """A table of what to compute.

    Parameters
    ----------
    image : ndarray of int, shape (n,)
        Position of the image in the data set.
    kind : ndarray of str, shape (n,)
        ``plain``, ``stripped``, ``robust``, ``drawn``, ``transplant``, ``erased`` or ``patched``.
    donor : ndarray of int, shape (n,)
        Position of the image that gave the tumor, -1 for none.
    """

    image: NDArray[np.intp]
    kind: NDArray[np.str_]
    donor: NDArray[np.intp]


def load(data: Path) -> Dataset:
    """Load both archives, and averages and people where they are, grouped by near-duplicates.

    Each person is a source. What is only learned from comes last, so that nothing about the others
    depends on it.
    """
    folders = [data / AVERAGES, *sorted((data / PEOPLE).glob("*"))]
    sources = dict(
        zip(JUDGED, (data / "brain-tumor-mri" / "Training", data / "br35h"), strict=True)
    )
    return load_dataset(sources | {path.name: path for path in folders if path.is_dir()})


def is_learned_only(dataset: Dataset) -> NDArray[np.bool_]:
    """Return which images are of averages and people that come inside packages."""
    return ~np.isin(dataset.sources, JUDGED)


def read_boxes(data: Path, dataset: Dataset) -> dict[int, Box]:
    """Return the tumor's box of each image that has one, by its position."""
    places = {Path(path).name: i for i, path in enumerate(dataset.paths)}
    with (data / "brain-tumor-mri" / "boxes.csv").open() as file:
        found = {
            places.get(Path(row["file"]).name): tuple(
                float(row[name]) for name in ("x_center", "y_center", "width", "height")
            )
            for row in csv.DictReader(file)
        }
    return {i: box for i, box in found.items() if i is not None}  # type: ignore[misc]


def plan_rows(dataset: Dataset, boxes: dict[int, Any], *, seed: int) -> Rows:
    """Return the rows of every image; which variants and donors, follows from the seed.

    Seed 0 also has the images as they are; other seeds only have other variants. Rows of the archives
    come first, then those of averages, then those of each person.
    """
    rng = np.random.default_rng(seed)
    # Tumors of the sella have their own place, and small ones cannot be seen elsewhere.
    donors = [i for i, box in boxes.items() if min(box[2:]) > 0.09]
    table: list[tuple[int, str, int]] = []
    sources, later = np.array(dataset.sources), is_learned_only(dataset)
    blocks = [~later, *(sources == name for name in dict.fromkeys(sources[later]))]
    for part in (np.flatnonzero(block).tolist() for block in blocks):
        for i in part:
            for kind in HEALTHY if dataset.labels[i] == "notumor" else TUMOR:
                if seed and kind == "plain":
                    continue
                giver = int(rng.choice(donors)) if kind == "transplant" else -1
                table.append((i, kind, giver))
            if not seed:
                table.append((i, "stripped", -1))
        for i in part:
            healthy = dataset.labels[i] == "notumor"
            changed = BOXED if i in boxes else ("patched",) if healthy else ()
            table += [(i, kind, -1) for kind in changed]
    image, kind, donor = zip(*table, strict=True)
    return Rows(np.array(image), np.array(kind), np.array(donor))


@dataclass
class PrepareRow:
    """Makes the model input of a row; takes the place of `Variants` when features are computed."""

    rows: Rows
    donors: dict[int, Donor]
    seed: int
    settings: Preprocessing = field(default_factory=Preprocessing)
    policy: Robust = field(default_factory=Robust)
    boxes: dict[int, Box] = field(default_factory=dict)
    without_lesion: set[int] = field(default_factory=set)
    not_stripped: set[int] = field(default_factory=set)
    not_erased: set[int] = field(default_factory=set)

    def __call__(
        self, image: NDArray[np.uint8], index: int, variant: int = 0
    ) -> tuple[NDArray[np.uint8], Geometry]:
        """Return the prepared row of an index."""
        values, geometry, _ = self.with_cover(image, index, variant)
        return values, geometry

    def with_cover(
        self, image: NDArray[np.uint8], index: int, variant: int = 0
    ) -> tuple[NDArray[np.uint8], Geometry, NDArray[np.float32] | None]:
        """Return the prepared row of an index, and where its tumor is if that is known."""
        rng = np.random.default_rng([self.seed, index, variant])
        kind, box = self.rows.kind[index], self.boxes.get(int(self.rows.image[index]))
        if kind == "stripped":
            stripped = strip_skull(image)
            if stripped is None:
                self.not_stripped.add(index)
            return *preprocess(image if stripped is None else stripped, self.settings), None
        values, geometry = preprocess(image, self.settings)
        if kind == "plain":
            cover = box and ellipse_cover(geometry.box_to_input(*box), geometry.size)
            return values, geometry, cover
        if kind in {"drawn", "transplant"}:
            image, box = self._with_lesion(values[:, :, 0], index, rng)
        if kind in {"erased", "patched"}:
            place = box and geometry.box_to_input(*box)
            image, box = self._filled(values[:, :, 0], index, place, rng)
        values, cover = self.policy.with_cover(image, box, self.settings, rng)
        return values, geometry, cover

    def _with_lesion(
        self, values: NDArray[np.uint8], index: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Box | None]:
        donor = self.donors.get(int(self.rows.donor[index]))
        for _ in range(6):
            made = transplant(values, donor, rng) if donor else draw_lesion(values, rng)
            if made is not None:
                return made[0], box_around(made[1])
        self.without_lesion.add(index)
        return values, None

    def _filled(
        self, values: NDArray[np.uint8], index: int, box: Box | None, rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], Box | None]:
        if self.rows.kind[index] == "patched":
            patched = patch(values, rng, avoid=box)
            return values if patched is None else patched, box
        erased = None if box is None else erase(values, box, rng)
        if erased is None:
            self.not_erased.add(index)
            return values, box
        return erased, None


def box_around(cover: NDArray[np.float64]) -> Box:
    """Return the box around what is covered by half at least, as fractions of the side."""
    down, across = (np.flatnonzero((cover > 0.5).any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = ((at[0], at[-1] + 1) for at in (down, across))
    size = 2 * cover.shape[0], cover.shape[0]
    return (
        (left + right) / size[0],
        (top + bottom) / size[0],
        (right - left) / size[1],
        (bottom - top) / size[1],
    )


def load_donors(dataset: Dataset, rows: Rows, boxes: dict[int, Any]) -> dict[int, Donor]:
    """Prepare the images that give tumors."""
    found: dict[int, Donor] = {}
    for i in sorted({int(i) for i in rows.donor if i >= 0}):
        values, geometry = preprocess(read_image(dataset.paths[i]))
        found[i] = Donor(values[:, :, 0], geometry.box_to_input(*boxes[i]))
    return found
