"""Eigen-CAM: the first principal component of a layer's channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mri_tumor.explain.core import Explanation, cam, method

if TYPE_CHECKING:
    from mri_tumor.explain.options import CamOptions
    from mri_tumor.explain.targets import Target


@method
def eigen_cam(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    layer: Any = None,
    batch_size: int = 32,
    **options: Unpack[CamOptions],
) -> Explanation:
    """Explain images by Eigen-CAM.

    Each cell is projected on the first right singular vector of the cells x channels matrix [1]_.
    No class enters: `target` is only checked and named, and the map shows what the layer responds
    to most, whatever the answer. The component's sign, which is arbitrary, is the one that makes
    the map's sum positive.

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
    .. [1] Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components",
       IJCNN 2020. arXiv:2008.00299

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import eigen_cam
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> eigen_cam(model, images).shape
    (2, 32, 32)
    """
    return cam(
        model,
        images,
        _reduce,
        target=target,
        layer=layer,
        batch_size=batch_size,
        differentiate=False,
        **options,
    )


def _reduce(values: Any, gradients: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    del gradients
    shape = tf.shape(values)
    cells = tf.reshape(values, (shape[0], shape[1] * shape[2], shape[3]))
    # With A = U S V', the projection A V is U S: the Gram matrix A A' has what is needed, and is
    # small. Its decomposition fails on NaN with an error of its own, so these are kept out.
    gram = tf.matmul(cells, cells, transpose_b=True)
    gram = tf.where(tf.math.is_finite(gram), gram, tf.zeros_like(gram))
    powers, vectors = tf.linalg.eigh(gram)
    first = vectors[..., -1] * tf.sqrt(tf.nn.relu(powers[..., -1:]))
    first *= tf.where(tf.reduce_sum(first, axis=-1, keepdims=True) < 0, -1.0, 1.0)
    size = tf.reduce_max(tf.abs(first), axis=-1)
    return tf.reshape(tf.nn.relu(first), shape[:3]), size
