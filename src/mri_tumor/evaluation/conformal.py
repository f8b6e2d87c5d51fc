"""Prediction sets that hold the true class as often as they say: split conformal prediction.

Written out here rather than taken from MAPIE: it is a weighted quantile, it has to run beside the
quick runtime without scikit-learn, and it needs groups and class-wise coverage, which MAPIE 1.6
does not offer. For "lac", MAPIE 1.6 gives the same sets on the same probabilities.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.conformal_rule import ConformalRule, check_method
from mri_tumor.evaluation.inputs import (
    check_classes,
    check_probabilities,
    check_share,
    index_labels,
)
from mri_tumor.groups import number_groups
from mri_tumor.labels import NEGATIVE

Floats = NDArray[np.float64]
_SLACK = 1e-9  # the same score computed twice may differ in its last digits


def conformal_threshold(
    labels: Sequence[str],
    probabilities: ArrayLike,
    *,
    classes: Sequence[str],
    negative_class: str = NEGATIVE,
    coverage: float = 0.95,
    method: str = "lac",
    by_class: bool = False,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
) -> ConformalRule:
    """Find the limits of prediction sets on images that the model did not learn from.

    The score of an image is 1 - P(true class) ("lac" [1]_), or the probability of the true
    class and of all likelier ones together ("aps" [2]_, without its random part, so that the
    same image always gets the same set). The limit is the quantile of the scores at
    (n + 1) coverage / n. With groups, each group weighs the same [3]_: the promise is then for
    an image of a new group.

    Parameters
    ----------
    labels : sequence of str, length n_images
        True classes. Tumors of unknown subtype ("tumor" with more than two classes) are left
        out, since the score needs the class.
    probabilities : array_like of float, shape (n_images, n_classes)
        Rows in [0, 1] that sum to 1, after the temperature if there is one.
    classes : sequence of str, length n_classes
        Names of the classes.
    negative_class : str, default="notumor"
        The class without a tumor.
    coverage : float, default=0.95
        Share of sets that are to hold the true class, between 0 and 1.
    method : {"lac", "aps"}, default="lac"
        The score: "lac" gives the smallest sets, "aps" adapts better to hard images.
    by_class : bool, default=False
        Keep the promise within each class (Mondrian), not only on average. Needs at least
        coverage / (1 - coverage) images or groups of each class, 19 at 0.95: a class with
        fewer is in every set.
    groups : sequence of hashable, length n_images, optional
        Patient or near-duplicate group of each image.

    Returns
    -------
    ConformalRule
        For `prediction_sets`.

    Raises
    ------
    DataError
        If there are no images with a known class, or a label is unknown.
    ParameterError
        If an argument has the wrong shape or values.

    References
    ----------
    .. [1] Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded
       error levels", Journal of the American Statistical Association 114, 2019.
       doi:10.1080/01621459.2017.1395341
    .. [2] Romano, Sesia and Candes, "Classification with valid and adaptive coverage",
       NeurIPS 2020. arXiv:2006.02544
    .. [3] Lee, Barber and Willett, "Distribution-free inference with hierarchical data", 2023.
       arXiv:2306.06342

    Examples
    --------
    >>> labels = ["notumor"] * 10 + ["tumor"] * 10
    >>> p = [[0.9, 0.1]] * 10 + [[0.2, 0.8]] * 10
    >>> rule = conformal_threshold(labels, p, classes=["notumor", "tumor"], coverage=0.9)
    >>> round(rule.limits[0], 6)
    0.2
    """
    names = check_classes(classes, negative_class)
    truth = index_labels(labels, names, negative_class)
    values = check_probabilities(probabilities, n_images=len(truth), n_classes=len(names))
    numbers = number_groups(groups, len(truth))
    share = check_share("coverage", coverage, closed=False)
    typed = truth >= 0
    if not typed.any():
        msg = "labels has no image of known class, so there is nothing to set a limit by"
        raise DataError(msg)
    truth, numbers = truth[typed], numbers[typed]
    scores = _scores(values[typed], check_method(method))[np.arange(len(truth)), truth]
    if by_class:
        limits = tuple(
            _limit(scores[truth == k], numbers[truth == k], share) for k in range(len(names))
        )
    else:
        limits = (_limit(scores, numbers, share),) * len(names)
    return ConformalRule(
        classes=names,
        negative_class=negative_class,
        method=method,
        coverage=share,
        limits=limits,
        by_class=by_class,
        n_calibration=len(truth),
    )


def prediction_sets(probabilities: ArrayLike, rule: ConformalRule) -> NDArray[np.bool_]:
    """Find the classes that cannot be excluded for each image.

    A set is never empty. Where no class is likely enough, which happens to unusual images,
    the likeliest classes that hold `coverage` of the probability together are taken. That only
    adds classes, so the promise stands.

    Parameters
    ----------
    probabilities : array_like of float, shape (n_images, n_classes)
        Rows in [0, 1] that sum to 1, columns in the order of `rule.classes`; made as those
        that the rule was found with.
    rule : ConformalRule
        From `conformal_threshold`.

    Returns
    -------
    ndarray of bool, shape (n_images, n_classes)
        True where the class is in the set.

    Raises
    ------
    ParameterError
        If the probabilities have the wrong shape or values.

    Examples
    --------
    >>> rule = ConformalRule(("notumor", "tumor"), "notumor", "lac", 0.9, (0.7, 0.7), False, 99)
    >>> prediction_sets([[0.9, 0.1], [0.5, 0.5]], rule).tolist()
    [[True, False], [True, True]]
    """
    n_images = len(np.asarray(probabilities))
    values = check_probabilities(probabilities, n_images=n_images, n_classes=len(rule.classes))
    sets = _scores(values, rule.method) <= np.array(rule.limits) + _SLACK
    empty = ~sets.any(axis=1)
    if empty.any():
        before = _scores(values[empty], "aps") - values[empty]
        sets[empty] = before < rule.coverage - _SLACK
    return np.asarray(sets)


def is_uncertain(
    sets: NDArray[np.bool_], *, classes: Sequence[str], negative_class: str = NEGATIVE
) -> NDArray[np.bool_]:
    """Tell which sets leave open whether there is a tumor.

    Parameters
    ----------
    sets : ndarray of bool, shape (n_images, n_classes)
        From `prediction_sets`.
    classes : sequence of str, length n_classes
        Names of the classes.
    negative_class : str, default="notumor"
        The class without a tumor.

    Returns
    -------
    ndarray of bool, shape (n_images,)
        True where the set holds the negative class and a tumor class.

    Raises
    ------
    ParameterError
        If the shapes do not fit.

    Examples
    --------
    >>> sets = np.array([[True, True], [False, True]])
    >>> is_uncertain(sets, classes=["notumor", "tumor"]).tolist()
    [True, False]
    """
    names = check_classes(classes, negative_class)
    held = np.asarray(sets, dtype=bool)
    if held.ndim != 2 or held.shape[1] != len(names):
        msg = f"sets must have a column for each of {names}; received shape {held.shape}"
        raise ParameterError(msg)
    negative = names.index(negative_class)
    return np.asarray(held[:, negative] & np.delete(held, negative, axis=1).any(axis=1))


def _scores(probabilities: Floats, method: str) -> Floats:
    """How strange each class would be for each image, shape (n_images, n_classes)."""
    if method == "lac":
        return 1 - probabilities
    order = np.argsort(-probabilities, axis=1, kind="stable")
    summed = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    scores = np.empty_like(summed)
    np.put_along_axis(scores, order, summed, axis=1)
    return scores


def _limit(scores: Floats, groups: NDArray[np.intp], coverage: float) -> float:
    """Smallest score whose share, with one more group beyond all, reaches the coverage."""
    if not scores.size:
        return float("inf")
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(scores)
    reached = np.cumsum(1 / sizes[numbers][order]) / (len(sizes) + 1)
    enough = np.flatnonzero(reached >= coverage - _SLACK)
    return float(scores[order][enough[0]]) if enough.size else float("inf")
