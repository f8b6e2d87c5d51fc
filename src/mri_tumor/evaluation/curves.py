"""ROC and precision-recall curves with bands, and points on them."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.evaluation.inputs import check_share
from mri_tumor.evaluation.intervals import figure_interval
from mri_tumor.evaluation.measures import divide
from mri_tumor.evaluation.ranking import Floats, Ranking

GRID = np.linspace(0.0, 1.0, 201)


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of one question, with a band from resampled groups.

    Parameters
    ----------
    kind : {"roc", "precision_recall"}
        False positive rate and sensitivity, or recall and precision.
    x, y : ndarray of float, shape (n_points,)
        The curve itself, one point for each distinct score.
    grid : ndarray of float, shape (n_grid,)
        Values of x at which the band is given.
    low, high : ndarray of float, shape (n_grid,)
        Pointwise ends of the band; equal to the curve without resamples.
    area : float
        Area under the ROC curve, or average precision.
    area_interval : tuple of float or None
        Its ends.
    n_positive, n_negative : int
        Images on each side.

    Examples
    --------
    >>> curve = roc_curve([False, True, True], [0.2, 0.7, 0.9], n_bootstrap=0)
    >>> curve.kind, curve.area, curve.n_positive
    ('roc', 1.0, 2)
    """

    kind: str
    x: Floats = field(repr=False)
    y: Floats = field(repr=False)
    grid: Floats = field(repr=False)
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)
    area: float
    area_interval: tuple[float, float] | None
    n_positive: int
    n_negative: int


def roc_curve(
    positive: ArrayLike,
    scores: ArrayLike,
    *,
    refused: ArrayLike | None = None,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Curve:
    """Trace sensitivity over the false positive rate, with a band.

    Parameters
    ----------
    positive : array_like of bool, shape (n_images,)
        True for a tumor.
    scores : array_like of float, shape (n_images,)
        P(tumor), or any score that is higher for tumors.
    refused : array_like of bool, shape (n_images,), optional
        Images without an answer: ranked wrong, whatever their score.
    groups : sequence of hashable, length n_images, optional
        Groups to resample; by default each image is one.
    n_bootstrap : int, default=1000
        Number of resamples; 0 leaves the band out.
    confidence : float, default=0.95
        Confidence of the band at each point, between 0 and 1.
    seed : int, default=0
        Seed of the resamples.

    Returns
    -------
    Curve
        `y` is sensitivity, `x` the false positive rate (1 - specificity), both in [0, 1].

    Raises
    ------
    DataError
        If one side has no images.
    ParameterError
        If an argument has the wrong shape or values.

    Examples
    --------
    >>> roc_curve([True, True, False, False], [0.9, 0.4, 0.5, 0.1]).area
    0.75
    """
    ranking = Ranking.make(positive, scores, refused=refused, groups=groups)
    return _curve(
        "roc",
        ranking,
        _best_sensitivity,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        seed=seed,
    )


def precision_recall_curve(
    positive: ArrayLike,
    scores: ArrayLike,
    *,
    refused: ArrayLike | None = None,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Curve:
    """Trace precision over recall, with a band.

    Parameters are those of `roc_curve`. Precision depends on the share of tumors in these
    images; `predictive_values` turns it to another prevalence.

    Parameters
    ----------
    positive : array_like of bool, shape (n_images,)
        True for a tumor.
    scores : array_like of float, shape (n_images,)
        P(tumor), or any score that is higher for tumors.
    refused : array_like of bool, shape (n_images,), optional
        Images without an answer: ranked wrong, whatever their score.
    groups : sequence of hashable, length n_images, optional
        Groups to resample; by default each image is one.
    n_bootstrap : int, default=1000
        Number of resamples; 0 leaves the band out.
    confidence : float, default=0.95
        Confidence of the band at each point, between 0 and 1.
    seed : int, default=0
        Seed of the resamples.

    Returns
    -------
    Curve
        `y` is precision, `x` recall; the area is the average precision, a sum over steps.

    Raises
    ------
    DataError
        If one side has no images.
    ParameterError
        If an argument has the wrong shape or values.

    Examples
    --------
    >>> round(precision_recall_curve([True, True, False], [0.9, 0.4, 0.5]).area, 4)
    0.8333
    """
    ranking = Ranking.make(positive, scores, refused=refused, groups=groups)
    return _curve(
        "precision_recall",
        ranking,
        _precision_at,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        seed=seed,
    )


def _curve(
    kind: str,
    ranking: Ranking,
    read: Callable[[Floats, Floats], Floats],
    *,
    n_bootstrap: int,
    confidence: float,
    seed: int,
) -> Curve:
    check_share("confidence", confidence, closed=False)
    hits, alarms = ranking.counted()
    area = _area(kind, hits, alarms)
    low = high = read(hits, alarms)
    interval = None
    if n_bootstrap:
        rows, areas = [low], []
        for counts in ranking.resampled(n_bootstrap, seed):
            if counts[0][-1] and counts[1][-1]:
                rows.append(read(*counts))
                areas.append(_area(kind, *counts))
        positive, negative = (ranking.groups_of(positive=side) for side in (True, False))
        low, high = _band(
            low,
            np.array(rows[1:] or rows),
            n_independent=positive,
            confidence=confidence,
        )
        interval = figure_interval(
            area,
            np.array(areas),
            n_independent=min(positive, negative),
            of_pairs=True,
            confidence=confidence,
        )
    recall, rate = hits / hits[-1], alarms / alarms[-1]
    precision = divide(hits, hits + alarms, empty=1.0)
    return Curve(
        kind=kind,
        x=rate if kind == "roc" else recall,
        y=recall if kind == "roc" else precision,
        grid=GRID,
        low=low,
        high=high,
        area=area,
        area_interval=interval,
        n_positive=int(hits[-1]),
        n_negative=int(alarms[-1]),
    )


def _band(
    middle: Floats, rows: Floats, *, n_independent: int, confidence: float
) -> tuple[Floats, Floats]:
    """Put an interval around each point of the grid, with a width where the curve is at 1."""
    ends = [
        figure_interval(value, column, n_independent=n_independent, confidence=confidence)
        or (np.nan, np.nan)
        for value, column in zip(middle.tolist(), rows.T, strict=True)
    ]
    low, high = np.array(ends).T
    return low, high


def _best_sensitivity(hits: Floats, alarms: Floats) -> Floats:
    """Highest sensitivity with a false positive rate of at most each value of the grid."""
    last = np.searchsorted(alarms / alarms[-1], GRID + 1e-12, side="right") - 1
    return np.asarray(hits[last] / hits[-1])


def _precision_at(hits: Floats, alarms: Floats) -> Floats:
    """Precision at the highest score that reaches each recall of the grid."""
    first = np.searchsorted(hits / hits[-1], GRID - 1e-12)
    first = np.maximum(first, 1)  # with nothing called there is no precision
    return divide(hits[first], hits[first] + alarms[first], empty=1.0)


def _area(kind: str, hits: Floats, alarms: Floats) -> float:
    recall = hits / hits[-1]
    if kind == "roc":
        parts = np.diff(alarms / alarms[-1]) * (recall[1:] + recall[:-1]) / 2
    else:
        parts = np.diff(recall) * divide(hits, hits + alarms)[1:]
    return min(1.0, float(np.sum(parts)))  # the sum can be above it by rounding
