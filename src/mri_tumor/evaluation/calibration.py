"""How far probabilities can be believed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import ParameterError
from mri_tumor.evaluation.inputs import ScoredImages, as_floats, check_probabilities
from mri_tumor.evaluation.intervals import wilson
from mri_tumor.evaluation.measures import divide

Floats = NDArray[np.float64]


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, *, n_bins: int = 15
) -> float:
    """Measure how far confidence is from accuracy.

    Parameters
    ----------
    labels : array_like of int, shape (n_images,)
        Index of the true class of each image, in [0, n_classes).
    probabilities : array_like of float, shape (n_images, n_classes)
        Each row is in [0, 1] and sums to 1.
    n_bins : int, default=15
        Number of equal-width confidence bins over [0, 1].

    Returns
    -------
    float
        Calibration error in [0, 1], unitless; 0 is perfectly calibrated.

    Raises
    ------
    ParameterError
        If a row of `probabilities` does not sum to 1, as logits do not.

    References
    ----------
    .. [1] Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. arXiv:1706.04599

    Examples
    --------
    >>> expected_calibration_error([0, 1], [[0.75, 0.25], [0.25, 0.75]])
    0.25
    """
    truth, values = check_indexed(labels, probabilities)
    confidence = values.max(axis=1)
    right = values.argmax(axis=1) == truth
    bins = confidence_bins(confidence, n_bins)
    gaps = np.bincount(bins, weights=right - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(truth))


def brier_score(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Measure the mean squared distance of probabilities from what was true.

    Parameters
    ----------
    labels : array_like of int, shape (n_images,)
        Index of the true class of each image, in [0, n_classes).
    probabilities : array_like of float, shape (n_images, n_classes)
        Each row is in [0, 1] and sums to 1.

    Returns
    -------
    float
        Sum over classes of the squared differences, averaged over images: in [0, 2], 0 is
        best. With two classes it is twice what scikit-learn's `brier_score_loss` gives for one.

    Raises
    ------
    ParameterError
        If labels or probabilities cannot be used.

    References
    ----------
    .. [1] Brier, "Verification of forecasts expressed in terms of probability", Monthly
       Weather Review 78, 1950.

    Examples
    --------
    >>> brier_score([0, 1], [[1.0, 0.0], [0.5, 0.5]])
    0.25
    """
    truth, values = check_indexed(labels, probabilities)
    return float(((values - np.eye(values.shape[1])[truth]) ** 2).sum(axis=1).mean())


@dataclass(frozen=True, eq=False)
class ReliabilityCurve:
    """How often something was true, by how likely it was said to be.

    Parameters
    ----------
    edges : ndarray of float, shape (n_bins + 1,)
        Ends of the bins.
    predicted : ndarray of float, shape (n_bins,)
        Mean probability in each bin; NaN in an empty one.
    observed : ndarray of float, shape (n_bins,)
        Share that was true; NaN in an empty bin.
    low, high : ndarray of float, shape (n_bins,)
        Ends of Wilson intervals around `observed`.
    counts : ndarray of int, shape (n_bins,)
        Images in each bin.
    expected_calibration_error : float
        Mean distance of `observed` from `predicted`, weighted by the counts.

    Examples
    --------
    >>> curve = reliability_curve([False, False, True, True], [0.1, 0.2, 0.8, 0.9], n_bins=2)
    >>> curve.observed.tolist()
    [0.0, 1.0]
    """

    edges: Floats
    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    counts: NDArray[np.intp]
    expected_calibration_error: float


def reliability_curve(
    happened: ArrayLike, probabilities: ArrayLike, *, n_bins: int = 10, confidence: float = 0.95
) -> ReliabilityCurve:
    """Compare probabilities with what happened, bin by bin.

    Give `is tumor` with P(tumor), or `answer is right` with the probability of the answer.

    Parameters
    ----------
    happened : array_like of bool, shape (n_images,)
        What was true.
    probabilities : array_like of float, shape (n_images,)
        The probability that was given to it, in [0, 1].
    n_bins : int, default=10
        Number of equal-width bins over [0, 1].
    confidence : float, default=0.95
        Confidence of the Wilson intervals, which take images as independent.

    Returns
    -------
    ReliabilityCurve
        One value for each bin.

    Raises
    ------
    ParameterError
        If an argument has the wrong shape or values.

    Examples
    --------
    >>> curve = reliability_curve([True, False], [0.9, 0.7], n_bins=2)
    >>> curve.counts.tolist(), float(curve.predicted[1]), float(curve.observed[1])
    ([0, 2], 0.8, 0.5)
    """
    events = np.asarray(happened)
    values = as_floats("probabilities", probabilities)
    if events.dtype != np.bool_ or events.ndim != 1 or events.shape != values.shape:
        msg = (
            "happened must be booleans, one for each probability; received shape "
            f"{events.shape} of {events.dtype} and probabilities of shape {values.shape}"
        )
        raise ParameterError(msg)
    if not (events.size and ((values >= 0) & (values <= 1)).all()):
        msg = "probabilities must be one or more numbers in [0, 1]"
        raise ParameterError(msg)
    bins = confidence_bins(values, n_bins)
    counts = np.bincount(bins, minlength=n_bins)
    trues = np.bincount(bins, weights=events, minlength=n_bins).astype(np.float64)
    sums = np.bincount(bins, weights=values, minlength=n_bins).astype(np.float64)
    ends = [
        wilson(true, count, confidence=confidence) if count else (np.nan, np.nan)
        for true, count in zip(trues.tolist(), counts.tolist(), strict=True)
    ]
    low, high = np.array(ends).T
    return ReliabilityCurve(
        edges=np.linspace(0, 1, n_bins + 1),
        predicted=divide(sums, counts.astype(float)),
        observed=divide(trues, counts.astype(float)),
        low=low,
        high=high,
        counts=counts,
        expected_calibration_error=float(np.abs(trues - sums).sum() / events.size),
    )


def check_indexed(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.intp], Floats]:
    """Return class indices and probabilities as arrays, or say what is wrong with them."""
    truth = np.asarray(labels)
    values = np.asarray(probabilities)
    if truth.ndim != 1 or truth.size == 0 or truth.dtype.kind not in "iub":
        msg = (
            "labels must be class indices, a non-empty list of whole numbers; received shape "
            f"{truth.shape} of {truth.dtype}"
        )
        raise ParameterError(msg)
    n_classes = values.shape[1] if values.ndim == 2 else 2
    checked = check_probabilities(values, n_images=truth.size, n_classes=n_classes)
    if truth.min() < 0 or truth.max() >= n_classes:
        msg = f"labels must be in [0, {n_classes}); received {truth.min()} to {truth.max()}"
        raise ParameterError(msg)
    return truth.astype(np.intp), checked


def confidence_bins(confidence: Floats, n_bins: int) -> NDArray[np.intp]:
    """Find the equal-width bin of each confidence, from 0; upper ends belong to their bin."""
    if n_bins < 1:
        msg = f"n_bins must be 1 or more; received {n_bins}"
        raise ParameterError(msg)
    return np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)


def describe_calibration(images: ScoredImages) -> dict[str, Any] | None:
    """Measure calibration on the images that were answered, None if there are none."""
    answered = ~images.refused
    if not answered.any():
        return None
    p_tumor = images.p_tumor[answered]
    described: dict[str, Any] = {
        "n_images": int(answered.sum()),
        "tumor": _both(
            images.is_tumor[answered].astype(np.intp), np.stack([1 - p_tumor, p_tumor], axis=1)
        ),
    }
    typed = answered & images.typed
    if len(images.classes) > 2 and typed.any():
        described["classes"] = _both(images.truth[typed], images.probabilities[typed])
    return described


def _both(truth: NDArray[np.intp], probabilities: Floats) -> dict[str, float]:
    return {
        "expected_calibration_error": expected_calibration_error(truth, probabilities),
        "brier_score": brier_score(truth, probabilities),
    }
