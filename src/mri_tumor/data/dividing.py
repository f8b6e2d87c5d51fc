"""Decide which image is in which part: as the source says, as a file says, or anew."""

import os

import numpy as np

from mri_tumor.data.dataset import Dataset
from mri_tumor.data.sources import LAYOUT
from mri_tumor.data.splitfiles import read_split
from mri_tumor.data.splits import SPLITS, TEST, TRAIN, VALIDATION
from mri_tumor.errors import DataError
from mri_tumor.labels import SUBTYPES


def divide(
    dataset: Dataset,
    split: str | os.PathLike[str] | None,
    fractions: tuple[float, float, float],
    seed: int,
) -> Dataset:
    """Split a data set as `load_dataset` was asked to.

    Parameters
    ----------
    dataset : Dataset
        Data whose `splits` are the parts that the source names.
    split : {"given", "new"}, path or None
        As in `load_dataset`.
    fractions : tuple of float
        Shares of training, validation and test.
    seed : int
        Seed of the split.

    Returns
    -------
    Dataset
        The same images.

    Raises
    ------
    DataError
        If the classes cannot be learned or split, or a split file does not fit.
    """
    if split is None:
        return dataset.with_splits([""] * len(dataset))
    if split not in {"given", "new"}:
        _check_classes(dataset)
        return dataset.with_splits(read_split(split, dataset))
    given = set(dataset.splits) & {VALIDATION, TEST}
    try:
        _check_classes(dataset)
        if split == "new" or not given:
            return dataset.split(fractions, seed=seed)
        return _keep_given(dataset, given, fractions, seed)
    except DataError as error:
        raise DataError(f"{', '.join(sorted(set(dataset.sources)))}: {error}") from None


def _check_classes(dataset: Dataset) -> None:
    """Refuse what cannot be learned from."""
    found = ", ".join(sorted(set(dataset.labels)))
    if dataset.task == "four" and not set(dataset.classes) & set(SUBTYPES):
        raise DataError(
            f"task='four' needs images of {', '.join(SUBTYPES)}; found only {found}. "
            "Use task='binary'."
        )
    if len(dataset.classes) < 2:
        raise DataError(
            f"there is only one class, {found} ({len(dataset):,} images). Learning needs images "
            f"with and without a tumor. Expected {LAYOUT}."
        )
    if dataset.negative_class not in dataset.classes:
        raise DataError(
            f"no images without a tumor (class {dataset.negative_class!r}); found {found}. Add "
            "some, or say with negative_class which of the classes means no tumor."
        )


def _keep_given(
    dataset: Dataset, given: set[str], fractions: tuple[float, float, float], seed: int
) -> Dataset:
    """Keep the parts that the source names; divide the rest by group for the others."""
    splits = np.array(dataset.splits, dtype=object)
    kept = np.isin(splits, [VALIDATION, TEST])
    # Copies of a given test image that are in no part themselves would leak: leave them out.
    related = (splits == "") & np.isin(dataset.groups, dataset.groups[kept])
    rest = np.flatnonzero(~kept & ~related)
    if not len(rest):
        raise DataError(
            "the split that the data names has no training part. Use split='new' (`--new-split`)."
        )
    shares = [share * (part not in given) for part, share in zip(SPLITS, fractions, strict=True)]
    total = sum(shares)
    pool = dataset.subset(rest)
    divided = pool.split((shares[0] / total, shares[1] / total, shares[2] / total), seed=seed)
    splits[rest] = divided.splits
    return dataset.with_splits(splits.tolist())


# A threshold that is chosen on fewer images says little, and prediction sets at 95% can exclude
# nothing with fewer than 19.
LEAST_IMAGES = 20
LEAST_ON_A_SIDE = 5


def halve(dataset: Dataset, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Divide a validation part by group: one half chooses epochs, the other calibrates.

    Parameters
    ----------
    dataset : Dataset
        The part.
    seed : int, default=0
        Which of the possible divisions.

    Returns
    -------
    choosing, calibration : Dataset
        The halves, with classes and sources in proportion.

    Raises
    ------
    DataError
        If half of it is too few images to calibrate on.
    """
    parts = dataset.split((0.5, 0.5, 0.0), seed=seed)
    halves = [
        dataset.subset([i for i, part in enumerate(parts.splits) if part == name])
        for name in (TRAIN, VALIDATION)
    ]
    n_images = len(halves[1])
    n_negative = sum(label == dataset.negative_class for label in halves[1].labels)
    fewest = min(n_negative, n_images - n_negative)
    if n_images < LEAST_IMAGES or fewest < LEAST_ON_A_SIDE:
        raise DataError(
            f"half of the validation part is {n_images} images, {n_negative} of them without a "
            f"tumor; calibrating needs {LEAST_IMAGES} with {LEAST_ON_A_SIDE} of each. Add images."
        )
    return halves[0], halves[1]
