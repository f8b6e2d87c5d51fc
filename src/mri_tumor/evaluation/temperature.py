"""One number that repairs overconfidence: the temperature."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.inputs import UNKNOWN, as_floats, check_scored
from mri_tumor.labels import NEGATIVE

Floats = NDArray[np.float64]

# Networks err on the side of confidence, which asks for more than 1; training with label
# smoothing or strong augmentation can ask for about 0.6. Where every image is right the
# likelihood is highest at 0, which would make the model certain of everything: so not under 0.5.
TEMPERATURES = (0.5, 10.0)
_SMALLEST = 1e-12  # stands for a probability that was rounded to 0


def fit_temperature(
    labels: Sequence[str],
    probabilities: ArrayLike,
    *,
    classes: Sequence[str],
    negative_class: str = NEGATIVE,
    refused: ArrayLike | None = None,
    bounds: tuple[float, float] = TEMPERATURES,
) -> float:
    """Find the temperature under which the labels are likeliest.

    Use images that the model did not learn from and that are not used for the final test.
    Dividing logits by a temperature is the same as raising probabilities to its inverse and
    scaling each row to 1, so probabilities are enough, be they of a softmax or of a sigmoid.

    Parameters
    ----------
    labels : sequence of str, length n_images
        True classes. With more than two classes, "tumor" is a tumor of unknown subtype, whose
        likelihood is the sum over the tumor classes.
    probabilities : array_like of float, shape (n_images, n_classes)
        Rows in [0, 1] that sum to 1.
    classes : sequence of str, length n_classes
        Names of the classes.
    negative_class : str, default="notumor"
        The class without a tumor.
    refused : array_like of bool, shape (n_images,), optional
        Images to leave out.
    bounds : tuple of float, default=(0.5, 10.0)
        Lowest and highest temperature. The lower one is returned where all images are right.

    Returns
    -------
    float
        Above 1 for a model that is too sure of itself, below 1 for one that is not sure enough.

    Raises
    ------
    DataError
        If there are no images, or a label is not among the classes.
    ParameterError
        If an argument has the wrong shape or values.

    References
    ----------
    .. [1] Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. arXiv:1706.04599

    Examples
    --------
    >>> labels = ["tumor"] * 3 + ["notumor"]
    >>> temperature = fit_temperature(
    ...     labels, [[0.1, 0.9]] * 4, classes=["notumor", "tumor"]
    ... )
    >>> round(temperature, 3), apply_temperature([[0.1, 0.9]], temperature).round(3).tolist()
    (2.0, [[0.25, 0.75]])
    """
    low, high = bounds
    if not 0 < low < high < np.inf:
        msg = f"bounds must be two temperatures, 0 < low < high; received {bounds}"
        raise ParameterError(msg)
    images = check_scored(
        labels, probabilities, classes=classes, negative_class=negative_class, refused=refused
    )
    answered = ~images.refused
    if not answered.any():
        msg = "all images are refused: there is nothing to fit a temperature to"
        raise DataError(msg)
    logits = _logits(images.probabilities[answered])
    allowed = _allowed(images.truth[answered], images.negative, logits.shape[1])
    return _minimise(logits, allowed, np.log(low), np.log(high))


def apply_temperature(probabilities: ArrayLike, temperature: float) -> Floats:
    """Soften (above 1) or sharpen (below 1) probabilities; the order of classes stays.

    Parameters
    ----------
    probabilities : array_like of float, shape (n_images, n_classes)
        Rows in [0, 1] that sum to 1. Rows of NaN stay as they are.
    temperature : float
        From `fit_temperature`, above 0.

    Returns
    -------
    ndarray of float64, shape (n_images, n_classes)
        Rows that sum to 1.

    Raises
    ------
    ParameterError
        If the temperature is not above 0, or the probabilities are not a table of numbers.

    Examples
    --------
    >>> apply_temperature([[0.2, 0.8]], 2.0).round(4).tolist()
    [[0.3333, 0.6667]]
    """
    if not 0 < temperature < np.inf:
        msg = f"temperature must be a number above 0; received {temperature!r}"
        raise ParameterError(msg)
    values = as_floats("probabilities", probabilities)
    if values.ndim != 2:
        msg = f"probabilities must have two dimensions; received shape {values.shape}"
        raise ParameterError(msg)
    if temperature == 1:
        return values
    return np.exp(_log_softmax(_logits(values) / temperature))


def negative_log_likelihood(
    labels: Sequence[str],
    probabilities: ArrayLike,
    *,
    classes: Sequence[str],
    negative_class: str = NEGATIVE,
) -> float:
    """Measure how unlikely the labels are, on average.

    Parameters
    ----------
    labels : sequence of str, length n_images
        True classes, or "tumor" for a tumor of unknown subtype.
    probabilities : array_like of float, shape (n_images, n_classes)
        Rows in [0, 1] that sum to 1.
    classes : sequence of str, length n_classes
        Names of the classes.
    negative_class : str, default="notumor"
        The class without a tumor.

    Returns
    -------
    float
        Mean of minus the natural logarithm of the probability of the label, at least 0.

    Raises
    ------
    DataError
        If there are no images, or a label is not among the classes.
    ParameterError
        If an argument has the wrong shape or values.

    Examples
    --------
    >>> p = [[0.5, 0.5], [0.5, 0.5]]
    >>> loss = negative_log_likelihood(["tumor", "notumor"], p, classes=["notumor", "tumor"])
    >>> round(loss, 4)
    0.6931
    """
    images = check_scored(labels, probabilities, classes=classes, negative_class=negative_class)
    allowed = _allowed(images.truth, images.negative, len(images.classes))
    return _loss(_logits(images.probabilities), allowed, 0.0)


def _allowed(truth: NDArray[np.intp], negative: int, n_classes: int) -> NDArray[np.bool_]:
    """Mark the classes that fit each label: one, or all tumors where the subtype is unknown."""
    allowed = np.eye(n_classes, dtype=bool)[truth]
    allowed[truth == UNKNOWN] = np.arange(n_classes) != negative
    return allowed


def _logits(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(probabilities, _SMALLEST)))


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _loss(logits: Floats, allowed: NDArray[np.bool_], log_temperature: float) -> float:
    logs = _log_softmax(logits / np.exp(log_temperature))
    top = np.where(allowed, logs, -np.inf)
    return float(-np.logaddexp.reduce(top, axis=1).mean())


def _minimise(logits: Floats, allowed: NDArray[np.bool_], low: float, high: float) -> float:
    from scipy.optimize import minimize_scalar

    # With labels of unknown subtype the loss need not have a single valley: look at the whole
    # range first.
    grid = np.linspace(low, high, 31)
    losses = [_loss(logits, allowed, point) for point in grid.tolist()]
    best = int(np.argmin(losses))
    around = (grid[max(0, best - 1)], grid[min(len(grid) - 1, best + 1)])
    found = minimize_scalar(
        lambda point: _loss(logits, allowed, point),
        bounds=around,
        method="bounded",
        options={"xatol": 1e-6},
    )
    # The search never quite touches the ends of its range.
    log_temperature = float(found.x) if found.fun < losses[best] else float(grid[best])
    return float(np.exp(log_temperature))
