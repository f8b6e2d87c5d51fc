"""The loss of known, unknown-subtype, weighted and hard examples, and its metric."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# Keeps the gradient of a confidently wrong answer finite and non-zero.
_EPSILON = 1e-7


class MarginalCrossentropy(keras.losses.Loss):
    """Cross-entropy of the set of classes that an image may have.

    An image whose class is known allows one; a tumour of unknown subtype allows every tumour
    class, and its loss is minus the log of their summed probability.

    Parameters
    ----------
    gamma : float, default=0.0
        Focusing exponent of the focal loss [1]_; 0 is plain cross-entropy.
    smoothing : float, default=0.0
        Share of the target that is spread over all classes alike [2]_, in [0, 1).

    References
    ----------
    .. [1] Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017. arXiv:1708.02002
    .. [2] Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
       CVPR 2016. arXiv:1512.00567
    """

    def __init__(self, gamma: float = 0.0, *, smoothing: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.gamma, self.smoothing = gamma, smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image, shape (n,).

        Parameters
        ----------
        y_true : tensor, shape (n, n_outputs)
            1 where a class is allowed; for one sigmoid unit the class itself, 0 or 1.
        y_pred : tensor, shape (n, n_outputs)
            Probabilities.
        """
        allowed = ops.cast(y_true, y_pred.dtype)
        right = _probability_of_allowed(allowed, y_pred)
        loss = -ops.log(right + _EPSILON)
        loss = loss * (1 - right) ** self.gamma if self.gamma else loss
        if not self.smoothing:
            return loss
        rows = ops.concatenate([1 - y_pred, y_pred], -1) if y_pred.shape[-1] == 1 else y_pred
        spread = -ops.mean(ops.log(rows + _EPSILON), axis=-1)
        return (1 - self.smoothing) * loss + self.smoothing * spread


def _probability_of_allowed(allowed: Any, probabilities: Any) -> Any:
    if probabilities.shape[-1] == 1:
        both = allowed * probabilities + (1 - allowed) * (1 - probabilities)
        return ops.squeeze(both, axis=-1)
    return ops.sum(allowed * probabilities, axis=-1)


def allowed_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Return 1 for each image whose likeliest class is allowed, shape (n,)."""
    allowed = ops.cast(y_true, y_pred.dtype)
    if y_pred.shape[-1] == 1:
        return ops.cast(
            ops.equal(ops.squeeze(allowed > 0.5, -1), ops.squeeze(y_pred > 0.5, -1)), "float32"
        )
    likeliest = ops.one_hot(ops.argmax(y_pred, axis=-1), y_pred.shape[-1])
    return ops.sum(allowed * likeliest, axis=-1)
