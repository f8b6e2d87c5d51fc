"""Grad-CAM: weigh each channel by its mean gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mri_tumor.explain.core import Explanation, cam, method
from mri_tumor.explain.methods.pieces import positive_sum

if TYPE_CHECKING:
    from mri_tumor.explain.options import CamOptions
    from mri_tumor.explain.targets import Target


@method
def grad_cam(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    layer: Any = None,
    batch_size: int = 32,
    **options: Unpack[CamOptions],
) -> Explanation:
    """Explain images by Grad-CAM.

    A channel's weight is the mean over its cells of the gradient of the class's score; the map is
    the positive part of the weighted sum of the channels [1]_. The score is the logit, from before
    the last softmax or sigmoid (see :mod:`mri_tumor.explain.scores`), and the gradient runs through
    the layers after `layer` only.

    Parameters
    ----------
    model : keras.Model or TumorClassifier
        Any classifier: flat, nested, Sequential, reloaded, with a softmax or one sigmoid unit. A
        `TumorClassifier` prepares images itself and returns a list of heatmaps.
    images : array_like of int or float, shape (n, h, w, c)
        A batch of model input.
    target : int, str, None, or a sequence of these with one entry per image
        The class, by index or name; ``"tumor"`` for all classes but the negative one together;
        None for each image's likeliest class. With one sigmoid unit, 1 is the class of a high
        output, and 0 is explained by minus its logit.
    layer : str, keras.layers.Layer, or a sequence of these, optional
        Where to read, also inside nested models; several are fused. By default ``feature_map``, or
        the last layer before global pooling.
    batch_size : int, default=32
        Images per pass.
    **options
        See :class:`mri_tumor.explain.CamOptions`.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]. Each map's maximum is 1; a map is zero everywhere where nothing speaks
        for the class.

    Raises
    ------
    ImageError
        If `images` is no finite batch that fits the model.
    ParameterError
        If the model is no classifier, or a target, layer or option is unknown.

    References
    ----------
    .. [1] Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
       Localization", ICCV 2017. arXiv:1610.02391

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import grad_cam
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> grad_cam(model, images).shape
    (2, 32, 32)
    """
    return cam(
        model, images, _reduce, target=target, layer=layer, batch_size=batch_size, **options
    )


def _reduce(values: Any, gradients: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    return positive_sum(values * tf.reduce_mean(gradients, axis=(1, 2), keepdims=True))
