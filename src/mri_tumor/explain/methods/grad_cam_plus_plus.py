"""Grad-CAM++: weigh cells so that small and repeated objects count in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mri_tumor.explain.core import Explanation, cam, method
from mri_tumor.explain.methods.pieces import positive_sum

if TYPE_CHECKING:
    from mri_tumor.explain.options import CamOptions
    from mri_tumor.explain.targets import Target


@method
def grad_cam_plus_plus(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    layer: Any = None,
    batch_size: int = 32,
    **options: Unpack[CamOptions],
) -> Explanation:
    """Explain images by Grad-CAM++.

    A channel's weight is the sum over its cells of a times the positive gradient g, with
    a = g^2 / (2 g^2 + g^3 sum(A)), which is 1 / (2 + g sum(A)) where g is not zero; A is the
    channel [1]_. This is the authors' closed form for the exponential of the score, whose own
    factor cancels when the map is normalised. It assumes channels of positive values; where others
    make the denominator zero or less, a is 0.

    Parameters
    ----------
    model, images, target, layer, batch_size, **options
        As in :func:`~mri_tumor.explain.grad_cam`.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere.

    Raises
    ------
    ImageError, ParameterError
        As :func:`~mri_tumor.explain.grad_cam` does.

    References
    ----------
    .. [1] Chattopadhyay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional
       Networks", WACV 2018. arXiv:1710.11063

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import grad_cam_plus_plus
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> grad_cam_plus_plus(model, images).shape
    (2, 32, 32)
    """
    return cam(
        model,
        images,
        _reduce,
        target=target,
        layer=layer,
        batch_size=batch_size,
        **options,
    )


def _reduce(values: Any, gradients: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    below = 2.0 + gradients * tf.reduce_sum(values, axis=(1, 2), keepdims=True)
    shares = tf.where(below > 0, tf.math.divide_no_nan(1.0, below), tf.zeros_like(below))
    weights = tf.reduce_sum(shares * tf.nn.relu(gradients), axis=(1, 2), keepdims=True)
    return positive_sum(values * weights)
