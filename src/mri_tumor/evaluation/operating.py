"""Choose the threshold on P(tumor) on validation data."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.inputs import as_floats, check_share
from mri_tumor.evaluation.intervals import figure_interval, group_weights
from mri_tumor.evaluation.measures import divide
from mri_tumor.evaluation.points import CurvePoint
from mri_tumor.evaluation.ranking import Ranking
from mri_tumor.labels import NEGATIVE, is_missing


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it gives on the images it was chosen on.

    Parameters
    ----------
    threshold : float
        Smallest P(tumor) that is called a tumor, in [0, 1].
    sensitivity, specificity : float
        On the images it was chosen on, which flatters one of them a little.
    sensitivity_interval, specificity_interval : tuple of float or None
        Their ends.
    target : str
        "sensitivity" or "specificity": the figure that was to be kept; "balance": the mean of
        both was to be best.
    target_value : float
        What it was to be at least; for "balance" what it is.
    reached : bool
        False if no threshold could keep it.
    n_positive, n_negative : int
        Images on each side.

    Examples
    --------
    >>> from mri_tumor import choose_threshold
    >>> point = choose_threshold(["notumor", "notumor", "tumor", "tumor"],
    ...                          [0.1, 0.6, 0.7, 0.9], sensitivity=0.9)
    >>> point.reached, point.sensitivity, point.specificity
    (True, 1.0, 1.0)
    """

    threshold: float
    sensitivity: float
    specificity: float
    sensitivity_interval: tuple[float, float] | None
    specificity_interval: tuple[float, float] | None
    target: str
    target_value: float
    reached: bool
    n_positive: int
    n_negative: int

    def to_dict(self) -> dict[str, Any]:
        """Turn the point into what JSON can hold."""
        plain = asdict(self)
        for name in ("sensitivity_interval", "specificity_interval"):
            plain[name] = None if plain[name] is None else list(plain[name])
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "OperatingPoint":
        """Read what `to_dict` wrote.

        Parameters
        ----------
        plain : mapping
            As from `to_dict`.

        Returns
        -------
        OperatingPoint
            The same point.

        Raises
        ------
        DataError
            If something is missing or is not what it should be.
        """
        try:
            values = dict(plain)
            for name in ("sensitivity_interval", "specificity_interval"):
                values[name] = None if values[name] is None else tuple(values[name])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            msg = f"this is not an operating point that to_dict() wrote: {error!r}"
            raise DataError(msg) from error


def choose_threshold(
    labels: Sequence[str],
    p_tumor: ArrayLike,
    *,
    sensitivity: float | None = None,
    specificity: float | None = None,
    negative_class: str = NEGATIVE,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> OperatingPoint:
    """Choose the threshold that keeps one figure and makes the best of the other.

    Use validation images, not those of the final test, and probabilities after the temperature.
    An image is called a tumor at P(tumor) >= threshold, so images with the same probability fall
    on the same side. Every threshold in the gap between two neighbouring probabilities gives
    the same answers; among the thresholds that keep the target and are best in the other
    figure, the gap with the best value of the target itself is taken, and the middle of it, so
    that rounding in another runtime changes nothing.

    Parameters
    ----------
    labels : sequence of str, length n_images
        Class of each image; all but `negative_class` are tumors.
    p_tumor : array_like of float, shape (n_images,)
        Probability of a tumor, in [0, 1]. Leave refused images out.
    sensitivity : float, optional
        Sensitivity to keep, in [0, 1]: the threshold has the highest specificity at this
        sensitivity or above.
    specificity : float, optional
        Specificity to keep instead, in [0, 1]. If neither figure is given, the threshold has
        the best mean of both that these images can tell: of all within one standard error of
        the best [1]_ the one nearest to 0.5, where calibrated probabilities err least.
    negative_class : str, default="notumor"
        The class without a tumor.
    groups : sequence of hashable, length n_images, optional
        Patient or near-duplicate group of each image, for the intervals.
    n_bootstrap, confidence, seed
        As in `evaluate_predictions`.

    Returns
    -------
    OperatingPoint
        The threshold, and sensitivity and specificity here with their intervals.

    Raises
    ------
    DataError
        If one side has no images.
    ParameterError
        If an argument has the wrong shape or values, or both figures are given.

    References
    ----------
    .. [1] The rule of one standard error: Breiman, Friedman, Olshen & Stone, "Classification and
       Regression Trees", 1984, section 3.4.3.

    Examples
    --------
    >>> labels = ["notumor", "notumor", "tumor", "tumor"]
    >>> point = choose_threshold(labels, [0.1, 0.5, 0.7, 0.9], sensitivity=1.0)
    >>> point.threshold, point.specificity
    (0.6, 1.0)
    """
    if sensitivity is not None and specificity is not None:
        msg = "give sensitivity or specificity, not both: one threshold keeps one of them"
        raise ParameterError(msg)
    scores = as_floats("p_tumor", p_tumor)
    if scores.shape != (len(labels),) or not ((scores >= 0) & (scores <= 1)).all():
        msg = (
            f"p_tumor must be {len(labels)} probabilities in [0, 1], one for each label; "
            f"received shape {scores.shape}; leave images without an answer out"
        )
        raise ParameterError(msg)
    if missing := [i for i, label in enumerate(labels) if is_missing(label)]:
        raise DataError(
            f"labels: that of image {missing[0]} is missing; leave it out, or label it"
        )
    is_tumor = np.array([str(label) != negative_class for label in labels])
    ranking = Ranking.make(is_tumor, scores, groups=groups)  # refuses a single side
    positives, negatives = np.sort(scores[is_tumor]), np.sort(scores[~is_tumor])
    if sensitivity is None and specificity is None:
        target = "balance"
        threshold, least = _best_balance(positives, negatives)
    elif sensitivity is not None:
        target, least = "sensitivity", sensitivity
        threshold = _keep_sensitivity(positives, negatives, check_share(target, least))
    else:
        assert specificity is not None  # noqa: S101
        target, least = "specificity", specificity
        threshold = _keep_specificity(positives, negatives, check_share(target, least))
    ends = [
        _at_threshold(
            ranking, threshold, positive=side, n=n_bootstrap, seed=seed, share=confidence
        )
        for side in (True, False)
    ]
    reached = {
        "sensitivity": ends[0].value,
        "specificity": ends[1].value,
        "balance": (ends[0].value + ends[1].value) / 2,
    }[target]
    return OperatingPoint(
        threshold=threshold,
        sensitivity=ends[0].value,
        specificity=ends[1].value,
        sensitivity_interval=ends[0].interval,
        specificity_interval=ends[1].interval,
        target=target,
        target_value=float(least),
        reached=bool(reached >= least - 1e-12),
        n_positive=len(positives),
        n_negative=len(negatives),
    )


def _best_balance(
    positives: NDArray[np.float64], negatives: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the threshold nearest to 0.5 whose mean of both figures is good, and that mean."""
    scores = np.unique(np.concatenate([positives, negatives]))
    # A gap's upper end belongs to what is called; below the lowest score everything is.
    lows = np.concatenate([[0.0], scores])
    highs = np.concatenate([scores, [1.0]])
    called = 1 - np.searchsorted(positives, highs[:-1]) / len(positives)
    left = np.searchsorted(negatives, highs[:-1]) / len(negatives)
    balance = np.concatenate([(called + left) / 2, [0.5]])
    highest = int(balance[:-1].argmax())
    spread = called * (1 - called) / len(positives) + left * (1 - left) / len(negatives)
    good = balance[highest] - np.sqrt(spread[highest]) / 2
    best = np.flatnonzero(balance >= good - 1e-12)
    # Neighbouring gaps of the same balance are one: 0.5 itself serves where it lies in it.
    inside = [i for i in best if lows[i] < 0.5 <= highs[i]]
    if inside:
        i = inside[0]
        # Not at the very edge of the gap, where rounding decides.
        return float(np.clip(0.5, *_middle_half(lows[i], highs[i]))), float(balance[i])
    nearest = int(best[np.abs((lows[best] + highs[best]) / 2 - 0.5).argmin()])
    return _between(lows[nearest], highs[nearest]), float(balance[nearest])


def _middle_half(low: float, high: float) -> tuple[float, float]:
    quarter = (high - low) / 4
    return low + quarter, high - quarter


def _keep_sensitivity(
    positives: NDArray[np.float64], negatives: NDArray[np.float64], least: float
) -> float:
    needed = max(1, int(np.ceil(least * len(positives) - 1e-9)))
    below = negatives[negatives < positives[-needed]]
    if not below.size:  # no specificity to be had: call everything
        return float(min(positives[0], negatives[0]) / 2)
    return _between(below[-1], positives[positives > below[-1]][0])


def _keep_specificity(
    positives: NDArray[np.float64], negatives: NDArray[np.float64], least: float
) -> float:
    allowed = int(np.floor((1 - least) * len(negatives) + 1e-9))
    highest = negatives[-1 - allowed] if allowed < len(negatives) else -np.inf
    above = positives[positives > highest]
    if not above.size:  # no sensitivity to be had: call as little as possible
        return _between(negatives[-1], 1.0)
    below = negatives[negatives < above[0]]
    return _between(below[-1] if below.size else 0.0, above[0])


def _between(low: float, high: float) -> float:
    """Middle of a gap whose upper end belongs to what is called."""
    middle = (low + high) / 2
    return float(middle if middle > low else high)


def _at_threshold(
    ranking: Ranking, threshold: float, *, positive: bool, n: int, seed: int, share: float
) -> CurvePoint:
    side = ranking.positive == positive
    right = side & ((ranking.scores >= threshold) == positive)
    n_groups = int(ranking.groups.max()) + 1
    counts = np.stack(
        [np.bincount(ranking.groups, weights=part, minlength=n_groups) for part in (right, side)],
        axis=1,
    )
    value = float(right.sum() / side.sum())
    if not n:
        return CurvePoint(value, None, threshold)
    sums = np.concatenate(
        [weights @ counts for weights in group_weights(n_groups, n_resamples=n, seed=seed)]
    )
    interval = figure_interval(
        value,
        divide(sums[:, 0], sums[:, 1]),
        n_independent=ranking.groups_of(positive=positive),
        confidence=check_share("confidence", share, closed=False),
    )
    return CurvePoint(value, interval, threshold)
