"""Judge a model on its validation part after each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

_SMALLEST = 1e-7
# As wide as the temperatures that are fitted later; 2% apart, which the loss cannot tell.
_TEMPERATURES = np.geomspace(0.5, 10.0, 152)


def judge(model: keras.Model, validation: Any) -> dict[str, float]:
    """Measure a model on a validation part.

    Parameters
    ----------
    model : keras.Model
        Gives probabilities, shape (n, 1) or (n, n_classes).
    validation : keras.utils.PyDataset
        Batches of (inputs, targets, weights); the weights are not used.

    Returns
    -------
    dict of str to float
        ``val_loss``, ``val_accuracy`` and ``val_calibrated_loss``.
    """
    outputs, targets = [], []
    for index in range(len(validation)):
        inputs, allowed, _ = validation[index]
        outputs.append(np.asarray(model.predict_on_batch(inputs), dtype=np.float64))
        targets.append(np.asarray(allowed))
    return judge_outputs(np.concatenate(outputs), np.concatenate(targets))


def judge_outputs(
    outputs: NDArray[np.float64], targets: NDArray[np.floating[Any]]
) -> dict[str, float]:
    """Measure a network's outputs.

    An epoch is judged by its loss after the best temperature [1]_. Late in training the loss
    rises because the network grows too sure of itself, while it still learns to tell classes
    apart; a temperature, which is fitted afterwards anyway, repairs the first and keeps the
    second.

    Parameters
    ----------
    outputs : ndarray of float, shape (n, 1) or (n, n_classes)
        Probabilities.
    targets : ndarray of float, same shape
        1 where a class is allowed, as `MarginalCrossentropy` takes them.

    Returns
    -------
    dict of str to float
        ``val_loss``: cross-entropy. ``val_accuracy``. ``val_calibrated_loss``: cross-entropy
        after the temperature that makes it smallest.

    References
    ----------
    .. [1] Berta et al., "Rethinking Early Stopping: Refine, Then Calibrate", 2025.
       arXiv:2501.19195
    """
    if outputs.shape[1] == 1:
        outputs = np.concatenate([1 - outputs, outputs], axis=1)
        targets = np.concatenate([1 - targets, targets], axis=1)
    allowed = targets > 0.5
    logits = np.log(np.maximum(outputs, _SMALLEST))
    losses = [_loss(logits / temperature, allowed) for temperature in (1.0, *_TEMPERATURES)]
    right = allowed[np.arange(len(allowed)), outputs.argmax(axis=1)]
    return {
        "val_loss": losses[0],
        "val_accuracy": float(right.mean()),
        "val_calibrated_loss": min(losses),
    }


def _loss(logits: NDArray[np.float64], allowed: NDArray[np.bool_]) -> float:
    inside = np.where(allowed, logits, -np.inf)
    total = np.logaddexp.reduce(logits, axis=1)
    return float((total - np.logaddexp.reduce(inside, axis=1)).mean())
