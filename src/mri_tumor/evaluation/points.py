"""Points on the ROC curve, and what they mean at another prevalence."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.evaluation.inputs import check_share
from mri_tumor.evaluation.intervals import figure_interval
from mri_tumor.evaluation.ranking import Floats, Ranking


@dataclass(frozen=True)
class CurvePoint:
    """A figure at a set value of another.

    Parameters
    ----------
    value : float
        The figure, in [0, 1].
    interval : tuple of float or None
        Its ends.
    threshold : float or None
        Score from which on an image is called positive here; None if none is called. It
        describes these images: choose a threshold to use on others with `choose_threshold`.

    Examples
    --------
    >>> point = sensitivity_at_specificity(
    ...     [False, False, True, True], [0.1, 0.6, 0.5, 0.9], specificity=1, n_bootstrap=0
    ... )
    >>> point.value, point.threshold
    (0.5, 0.9)
    """

    value: float
    interval: tuple[float, float] | None
    threshold: float | None


def sensitivity_at_specificity(
    positive: ArrayLike,
    scores: ArrayLike,
    *,
    specificity: float,
    refused: ArrayLike | None = None,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> CurvePoint:
    """Find the highest sensitivity with at least a set specificity.

    Parameters
    ----------
    positive : array_like of bool, shape (n_images,)
        True for a tumor.
    scores : array_like of float, shape (n_images,)
        P(tumor), or any score that is higher for tumors.
    specificity : float
        Specificity to keep, in [0, 1]. Each resample finds its own point, so the interval
        holds what the choice of the threshold adds.
    refused, groups, n_bootstrap, confidence, seed
        As in `roc_curve`.

    Returns
    -------
    CurvePoint
        The sensitivity, its interval and the threshold.

    Raises
    ------
    DataError
        If one side has no images.
    ParameterError
        If an argument has the wrong shape or values.

    Examples
    --------
    >>> sensitivity_at_specificity(
    ...     [True, True, False, False], [0.9, 0.4, 0.5, 0.1], specificity=0.9, n_bootstrap=0
    ... )
    CurvePoint(value=0.5, interval=None, threshold=0.9)
    """
    limit = 1 - check_share("specificity", specificity)
    ranking = Ranking.make(positive, scores, refused=refused, groups=groups)

    def find(hits: Floats, alarms: Floats) -> tuple[float, int]:
        if not (hits[-1] and alarms[-1]):
            return np.nan, 0
        allowed = alarms / alarms[-1] <= limit + 1e-12
        best = float(hits[allowed].max(initial=0.0))
        return best / hits[-1], int(np.searchsorted(hits, best))

    return _point(ranking, find, side=True, n=n_bootstrap, confidence=confidence, seed=seed)


def specificity_at_sensitivity(
    positive: ArrayLike,
    scores: ArrayLike,
    *,
    sensitivity: float,
    refused: ArrayLike | None = None,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> CurvePoint:
    """Find the highest specificity with at least a set sensitivity.

    Parameters
    ----------
    positive : array_like of bool, shape (n_images,)
        True for a tumor.
    scores : array_like of float, shape (n_images,)
        P(tumor), or any score that is higher for tumors.
    sensitivity : float
        Sensitivity to keep, in [0, 1]. Each resample finds its own point.
    refused, groups, n_bootstrap, confidence, seed
        As in `roc_curve`.

    Returns
    -------
    CurvePoint
        The specificity, its interval and the threshold. Refused tumors count as found only at
        a threshold below every score, which is given as None.

    Raises
    ------
    DataError
        If one side has no images.
    ParameterError
        If an argument has the wrong shape or values.

    Examples
    --------
    >>> specificity_at_sensitivity(
    ...     [True, True, False, False], [0.9, 0.4, 0.5, 0.1], sensitivity=0.9, n_bootstrap=0
    ... )
    CurvePoint(value=0.5, interval=None, threshold=0.4)
    """
    least = check_share("sensitivity", sensitivity)
    ranking = Ranking.make(positive, scores, refused=refused, groups=groups)

    def find(hits: Floats, alarms: Floats) -> tuple[float, int]:
        if not (hits[-1] and alarms[-1]):
            return np.nan, 0
        first = int(np.argmax(hits / hits[-1] >= least - 1e-12))
        return 1 - alarms[first] / alarms[-1], first

    return _point(ranking, find, side=False, n=n_bootstrap, confidence=confidence, seed=seed)


def _point(
    ranking: Ranking,
    find: Callable[[Floats, Floats], tuple[float, int]],
    *,
    side: bool,
    n: int,
    confidence: float,
    seed: int,
) -> CurvePoint:
    check_share("confidence", confidence, closed=False)
    value, index = find(*ranking.counted())
    interval = None
    if n:
        others = np.array([find(*counts)[0] for counts in ranking.resampled(n, seed)])
        interval = figure_interval(
            value, others, n_independent=ranking.groups_of(positive=side), confidence=confidence
        )
    threshold = None if index == 0 else float(ranking.scores[ranking.ends[index - 1]])
    if threshold is not None and np.isinf(threshold):
        threshold = None
    return CurvePoint(float(value), interval, threshold)


def predictive_values(
    sensitivity: float, specificity: float, *, prevalence: float
) -> tuple[float, float]:
    """Turn sensitivity and specificity into predictive values at a prevalence.

    Test sets like the Kaggle one hold three tumors for each healthy image; a screened
    population holds one in hundreds, and the same model's positive calls mean far less there.

    Parameters
    ----------
    sensitivity, specificity : float
        In [0, 1].
    prevalence : float
        Share of tumors where the model is to be used, in [0, 1].

    Returns
    -------
    tuple of float
        Positive and negative predictive value, in [0, 1]; NaN where nothing would be called.

    Raises
    ------
    ParameterError
        If an argument is outside of [0, 1].

    References
    ----------
    .. [1] Altman and Bland, "Diagnostic tests 2: predictive values", BMJ 309, 1994.
       doi:10.1136/bmj.309.6947.102

    Examples
    --------
    >>> ppv, npv = predictive_values(0.9, 0.9, prevalence=0.1)
    >>> round(ppv, 4), round(npv, 4)
    (0.5, 0.9878)
    """
    found = check_share("sensitivity", sensitivity) * check_share("prevalence", prevalence)
    cleared = check_share("specificity", specificity) * (1 - prevalence)
    called = found + (1 - specificity) * (1 - prevalence)
    passed = cleared + (1 - sensitivity) * prevalence
    return (
        found / called if called > 0 else float("nan"),
        cleared / passed if passed > 0 else float("nan"),
    )


def adjusted_values(
    rates: tuple[float | None, float | None],
    intervals: tuple[Sequence[float] | None, Sequence[float] | None],
    *,
    prevalence: float,
) -> dict[str, Any]:
    """Give predictive values with ends; see `EvaluationReport.predictive_values`."""
    check_share("prevalence", prevalence)
    values: list[float | None] = [None, None]
    ends: list[list[float] | None] = [None, None]
    if None not in rates:
        sensitivity, specificity = (float(rate) for rate in rates if rate is not None)
        values = [
            None if np.isnan(value) else value
            for value in predictive_values(sensitivity, specificity, prevalence=prevalence)
        ]
        if intervals[0] is not None and intervals[1] is not None:
            corners = [
                predictive_values(intervals[0][end], intervals[1][end], prevalence=prevalence)
                for end in (0, 1)
            ]
            ends = [
                None if value is None else [float(corners[0][i]), float(corners[1][i])]
                for i, value in enumerate(values)
            ]
    return {
        "prevalence": float(prevalence),
        "ppv": values[0],
        "npv": values[1],
        "intervals": {"ppv": ends[0], "npv": ends[1]},
    }
