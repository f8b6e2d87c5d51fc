"""Labels as the loss takes them, and the validation part of a training set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.data.duplicates import group_duplicates
from mri_tumor.data.hashing import fingerprint_image, perceptual_hashes
from mri_tumor.errors import DataError, ParameterError
from mri_tumor.groups import number_groups
from mri_tumor.labels import NEGATIVE, UNKNOWN_TUMOR, canonical_label
from mri_tumor.training.parameters import is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.images.collection import ImageCollection


def find_classes(labels: Sequence[str], negative_class: str | None) -> tuple[tuple[str, ...], str]:
    """Return the classes that labels stand for, and the one without a tumour.

    Parameters
    ----------
    labels : sequence of str
        Label of each training image. ``"tumor"`` beside other tumour classes means an unknown
        subtype and is no class.
    negative_class : str or None
        The class without a tumour; None finds it by its name.

    Returns
    -------
    classes : tuple of str
        Negative class first where there are two, else sorted.
    negative : str
        The class without a tumour.

    Raises
    ------
    DataError
        If there are fewer than two classes.
    ParameterError
        If the negative class is not among them, or cannot be told.
    """
    found = set(labels)
    if negative_class is None:
        named = [n for n in sorted(found) if n == "0" or canonical_label(n) == NEGATIVE]
        if len(found) < 2:
            only = ", ".join(map(repr, sorted(found)))
            message = f"y: a classifier needs two classes or more. Received only: {only}."
            raise DataError(message)
        if len(named) != 1:
            message = (
                f"negative_class: cannot tell which of {sorted(found)} means no tumour. "
                "Pass its name."
            )
            raise ParameterError(message)
        negative_class = named[0]
    elif negative_class not in found:
        message = (
            f"negative_class: no image has the label {negative_class!r}. Known: {sorted(found)}."
        )
        raise ParameterError(message)
    if len(found) > 2:
        found.discard(UNKNOWN_TUMOR)
    if len(found) == 2:
        return tuple(
            sorted(found, key=lambda name: (name != negative_class, name))
        ), negative_class
    if len(found) < 2:
        raise DataError(
            f"y: a classifier needs two classes or more. Received only: {sorted(found)}."
        )
    return tuple(sorted(found)), negative_class


def encode(
    labels: Sequence[str], classes: Sequence[str] | NDArray[Any], negative_class: str
) -> NDArray[np.float32]:
    """Encode labels as the classes that each image may have.

    Parameters
    ----------
    labels : sequence of str, length n
        Labels; ``"tumor"`` where that is no class allows every tumour class.
    classes : sequence of str
        The classes.
    negative_class : str
        The class without a tumour.

    Returns
    -------
    ndarray of float32, shape (n, n_classes), or (n, 1) for two classes
        1 where a class is allowed; for two classes 1 for the second.

    Raises
    ------
    DataError
        If a label is not known.
    """
    table = {name: np.eye(len(classes), dtype=np.float32)[i] for i, name in enumerate(classes)}
    if UNKNOWN_TUMOR not in table:
        table[UNKNOWN_TUMOR] = np.array([name != negative_class for name in classes], np.float32)
    unknown = sorted(set(labels) - set(table))
    if unknown:
        message = (
            f"y: the label {unknown[0]!r} is not one of the model's classes {[str(name) for name in classes]}. "
            "Rename it, or train a model with it."
        )
        raise DataError(message)
    rows = np.stack([table[label] for label in labels])
    return rows[:, 1:] if len(classes) == 2 else rows


def image_weights(
    labels: Sequence[str], class_weight: str | Mapping[str, float] | None
) -> NDArray[np.float32]:
    """Return the weight of each image in the loss.

    Parameters
    ----------
    labels : sequence of str
        Label of each image.
    class_weight : "balanced", mapping of str to float, or None
        ``"balanced"`` weighs inversely to how often a label occurs; a mapping gives weights
        by label, 1 where one is missing; None weighs all alike.

    Returns
    -------
    ndarray of float32, shape (n,)
        Weights.

    Raises
    ------
    ParameterError
        If the option is another, or a weight is negative or no number.
    """
    counts = Counter(labels)
    if class_weight is None:
        return np.ones(len(labels), dtype=np.float32)
    if class_weight == "balanced":
        by_label = {name: len(labels) / (len(counts) * count) for name, count in counts.items()}
    elif isinstance(class_weight, Mapping):
        unknown = sorted(set(class_weight) - set(counts))
        values: list[Any] = list(class_weight.values())
        good = all(is_number(value, least=0) for value in values)
        if unknown or not good:
            message = (
                f"class_weight: must map the labels {sorted(counts)} to numbers of 0 or more. "
                f"Received: {dict(class_weight)!r}"
            )
            raise ParameterError(message)
        by_label = {name: float(class_weight.get(name, 1.0)) for name in counts}
    else:
        message = f"class_weight: must be 'balanced', a dict or None. Received: {class_weight!r}"
        raise ParameterError(message)
    return np.array([by_label[label] for label in labels], dtype=np.float32)


def near_duplicate_groups(images: ImageCollection) -> NDArray[np.intp]:
    """Group images that are copies of each other, turned or mirrored ones included.

    Parameters
    ----------
    images : ImageCollection
        The images; each is read once.

    Returns
    -------
    ndarray of int, shape (n_images,)
        Group of each image.
    """
    prints = [fingerprint_image(images.read(i)) for i in range(len(images))]
    hashes = perceptual_hashes(np.stack([one.coefficients for one in prints]))
    return group_duplicates([one.pixels for one in prints], hashes)


def cut_validation(
    labels: Sequence[str], groups: NDArray[Any], *, fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cut a validation part off a training set, whole groups at a time.

    Parameters
    ----------
    labels : sequence of str
        Label of each image.
    groups : array_like, shape (n,)
        Group of each image; one that is missing (None, NaN) is a group of its own.
    fraction : float
        Share of the images to cut off, in (0, 1).
    seed : int
        Seed of the choice.

    Returns
    -------
    training, validation : ndarray of int
        Positions; every class is in both.

    Raises
    ------
    DataError
        If a class has a single group, so that it cannot be in both parts.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    names = np.asarray(labels)
    groups = number_groups(groups, len(names), in_order=True)
    fewest = len(names)
    for name in sorted(set(labels)):
        n_groups = len(set(groups[names == name]))
        fewest = min(fewest, n_groups)
        if n_groups < 2:
            message = (
                f"y: the class {name!r} has a single image or group of near-duplicates, so it "
                "cannot be both trained and validated on. Add images of it, or pass validation_data."
            )
            raise DataError(message)
    n_folds = min(max(2, round(1 / fraction)), fewest)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    parts = list(folds.split(names, names, groups))
    # Small classes can be missing from a fold: take the first in which every class is.
    for training, validation in parts:
        if set(names[training]) == set(names[validation]) == set(labels):
            return training, validation
    return _one_group_per_class(names, groups, seed)


def _one_group_per_class(
    names: NDArray[Any], groups: NDArray[Any], seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cut off one group of each class, for sets too small for folds."""
    rng = np.random.default_rng(seed)
    chosen = {rng.choice(np.unique(groups[names == name])) for name in np.unique(names)}
    inside = np.isin(groups, list(chosen))
    return np.flatnonzero(~inside), np.flatnonzero(inside)
