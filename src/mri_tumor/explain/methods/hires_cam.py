"""HiResCAM: weigh each cell of each channel by its own gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mri_tumor.explain.core import Explanation, cam, method
from mri_tumor.explain.methods.pieces import positive_sum

if TYPE_CHECKING:
    from mri_tumor.explain.options import CamOptions
    from mri_tumor.explain.targets import Target


@method
def hires_cam(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    layer: Any = None,
    batch_size: int = 32,
    **options: Unpack[CamOptions],
) -> Explanation:
    """Explain images by HiResCAM.

    The map is the positive part of the sum over the channels of value times gradient [1]_. Unlike
    Grad-CAM it does not average the gradient over the cells, so it never marks a cell that the
    score does not depend on. After global average pooling the gradient is the same in all cells,
    and both give the same map.

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
    .. [1] Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
       convolutional neural networks", 2020. arXiv:2011.08891

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import hires_cam
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> hires_cam(model, images).shape
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
    return positive_sum(values * gradients)
