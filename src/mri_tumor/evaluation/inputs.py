"""Check what is to be scored, once, and hand it on as arrays."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike, fspath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.label_rule import predict_indices
from mri_tumor.groups import number_groups
from mri_tumor.labels import UNKNOWN_TUMOR

UNKNOWN = -1  # index of a tumour whose subtype is unknown
ROW_SUM_TOLERANCE = 2e-3  # a softmax kept in half precision is off by up to about 1e-3


@dataclass(frozen=True, eq=False)
class ScoredImages:
    """Labels and answers of a set of images, checked and aligned.

    Parameters
    ----------
    classes : tuple of str
        Class names in the order of the columns of `probabilities`.
    negative : int
        Index in `classes` of the class without a tumour.
    truth : ndarray of int, shape (n_images,)
        Index of each image's class; -1 is a tumour of unknown subtype.
    probabilities : ndarray of float, shape (n_images, n_classes)
        Probabilities in [0, 1]; the rows of refused images may be NaN.
    refused : ndarray of bool, shape (n_images,)
        True where no answer was given.
    groups : ndarray of int, shape (n_images,)
        Group of each image, numbered from 0.
    files : tuple of str or None
        Name of each image.
    """

    classes: tuple[str, ...]
    negative: int
    truth: NDArray[np.intp]
    probabilities: NDArray[np.float64]
    refused: NDArray[np.bool_]
    groups: NDArray[np.intp]
    files: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def typed(self) -> NDArray[np.bool_]:
        """True where the class is known, and not just that there is a tumour."""
        return np.not_equal(self.truth, UNKNOWN)

    @property
    def is_tumor(self) -> NDArray[np.bool_]:
        """True where the label is a tumour of any kind."""
        return np.not_equal(self.truth, self.negative)

    @property
    def p_tumor(self) -> NDArray[np.float64]:
        """One minus the probability of no tumour; NaN where refused."""
        return np.where(self.refused, np.nan, 1 - self.probabilities[:, self.negative])

    def predicted(self, threshold: float) -> NDArray[np.intp]:
        """Index of the class given to each image; `n_classes` stands for refused."""
        answer = predict_indices(
            np.nan_to_num(self.probabilities), negative=self.negative, threshold=threshold
        )
        return np.where(self.refused, len(self.classes), answer)

    def label_names(self) -> tuple[str, ...]:
        """Give the labels back as text."""
        names = (*self.classes, UNKNOWN_TUMOR)  # index -1 is the last
        return tuple(names[index] for index in self.truth)


def check_scored(
    labels: Sequence[str],
    probabilities: ArrayLike,
    *,
    classes: Sequence[str],
    negative_class: str,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    refused: ArrayLike | None = None,
    files: Sequence[str | PathLike[str]] | None = None,
) -> ScoredImages:
    """Check labels, probabilities and what goes with them.

    Parameters are those of `evaluate_predictions`.

    Returns
    -------
    ScoredImages
        The same data as aligned arrays.

    Raises
    ------
    DataError
        If there are no images, or a label is not among the classes.
    ParameterError
        If an argument has the wrong shape or values.
    """
    names = check_classes(classes, negative_class)
    truth = index_labels(labels, names, negative_class)
    n_images = len(truth)
    mask = np.zeros(n_images, bool) if refused is None else np.asarray(refused)
    if mask.shape != (n_images,) or mask.dtype != np.bool_:
        msg = (
            f"refused must be {n_images} booleans, one for each label; received shape "
            f"{mask.shape} of {mask.dtype}"
        )
        raise ParameterError(msg)
    values = check_probabilities(
        probabilities, n_images=n_images, n_classes=len(names), missing=mask
    )
    return ScoredImages(
        classes=names,
        negative=names.index(negative_class),
        truth=truth,
        probabilities=values,
        refused=mask,
        groups=number_groups(groups, n_images),
        files=None if files is None else _check_files(files, n_images),
    )


def check_classes(classes: Sequence[str], negative_class: str) -> tuple[str, ...]:
    """Return the class names as a tuple, or say what is wrong with them."""
    names = tuple(str(name) for name in classes)
    if len(names) < 2 or len(set(names)) != len(names):
        msg = f"classes must be two or more different names; received {names}"
        raise ParameterError(msg)
    if negative_class not in names:
        msg = (
            f"negative_class {negative_class!r} is not one of the classes {names}; pass the "
            "name of the class without a tumor"
        )
        raise ParameterError(msg)
    return names


def index_labels(
    labels: Sequence[str], classes: tuple[str, ...], negative_class: str
) -> NDArray[np.intp]:
    """Turn label names into class indices, -1 for a tumor of unknown subtype.

    Parameters
    ----------
    labels : sequence of str
        Names from `classes`, or "tumor".
    classes : tuple of str
        Class names.
    negative_class : str
        The class without a tumor. With two classes, "tumor" means the other one.

    Returns
    -------
    ndarray of int, shape (n_images,)
        Index of each class, or -1.

    Raises
    ------
    DataError
        If there is no label, or one is unknown.
    """
    if len(labels) == 0:
        msg = "labels is empty: there are no images to evaluate"
        raise DataError(msg)
    index = {name: i for i, name in enumerate(classes)}
    if UNKNOWN_TUMOR not in index:
        other = 1 - index[negative_class] if len(classes) == 2 else UNKNOWN
        index[UNKNOWN_TUMOR] = other
    strange = sorted({str(label) for label in labels} - index.keys())
    if strange:
        msg = f"labels has names that are not among the classes {classes}: {', '.join(strange)}"
        raise DataError(msg)
    return np.fromiter((index[str(label)] for label in labels), np.intp, len(labels))


def check_probabilities(
    probabilities: ArrayLike,
    *,
    n_images: int,
    n_classes: int,
    missing: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Return probabilities as float64, or say what is wrong with them.

    Parameters
    ----------
    probabilities : array_like of float, shape (n_images, n_classes)
        Rows in [0, 1] that sum to 1.
    n_images, n_classes : int
        The shape that is expected.
    missing : ndarray of bool, shape (n_images,), optional
        Rows that are not looked at.

    Returns
    -------
    ndarray of float64, shape (n_images, n_classes)
        The probabilities; NaN in the rows that are missing and were not finite.

    Raises
    ------
    ParameterError
        If the shape is wrong, a value is not finite or outside of [0, 1], or a row does not
        sum to 1, as logits do not.
    """
    values = as_floats("probabilities", probabilities)
    if values.shape != (n_images, n_classes):
        msg = (
            f"probabilities must have shape ({n_images}, {n_classes}), a row for each label and "
            f"a column for each class; received {values.shape}"
        )
        raise ParameterError(msg)
    kept = np.ones(n_images, bool) if missing is None else ~missing
    bad = np.flatnonzero(kept & ~np.isfinite(values).all(axis=1))
    if bad.size:
        msg = (
            f"probabilities has NaN or infinite values in row {bad[0]} and {bad.size - 1} others; "
            "mark images without an answer in refused="
        )
        raise ParameterError(msg)
    slack = ROW_SUM_TOLERANCE
    with np.errstate(invalid="ignore"):
        outside = kept & ((values < -slack) | (values > 1 + slack)).any(axis=1)
        off = kept & (np.abs(values.sum(axis=1) - 1) > slack)
    wrong = np.flatnonzero(outside | off)
    if wrong.size:
        msg = (
            f"probabilities must be in [0, 1] and each row must sum to 1; row {wrong[0]} is "
            f"{values[wrong[0]].tolist()}. Pass logits through a softmax first"
        )
        raise ParameterError(msg)
    values[~np.isfinite(values).all(axis=1)] = np.nan
    return np.clip(values, 0.0, 1.0)


def as_floats(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return numbers as an array of their own, or say that they are none."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} must be numbers, as many in each row: {error}"
        raise ParameterError(msg) from None


def check_share(name: str, value: float, *, closed: bool = True) -> float:
    """Return a number of [0, 1], or of (0, 1) when not closed, as float."""
    is_number = isinstance(value, Real)
    if not is_number or not (0 <= value <= 1 if closed else 0 < value < 1):
        msg = f"{name} must be {'in [0, 1]' if closed else 'between 0 and 1'}; received {value!r}"
        raise ParameterError(msg)
    return float(value)


def _check_files(files: Sequence[str | PathLike[str]], n_images: int) -> tuple[str, ...]:
    if len(files) != n_images:
        msg = f"files must have {n_images} entries, one for each image; received {len(files)}"
        raise ParameterError(msg)
    return tuple(fspath(file) for file in files)
