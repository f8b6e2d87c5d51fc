"""Saliency: how strongly each pixel moves the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mri_tumor.explain.core import Explanation, explain_with, method, prepare
from mri_tumor.explain.methods.pieces import IMAGES, largest_channel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.explain.engine import Pass
    from mri_tumor.explain.options import TargetOptions
    from mri_tumor.explain.targets import Target, Targets


@method
def saliency(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    batch_size: int = 32,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain images by saliency.

    A pixel's value is the size of the gradient of the class's score by it, the largest over the
    colour channels [1]_. It says where the score is sensitive, in either direction.

    Parameters
    ----------
    model, images, target, batch_size, **options
        As in :func:`~mri_tumor.explain.grad_cam`, without what concerns layers.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Sensitivity in [0, 1]; each map's maximum is 1, or it is zero everywhere.

    Raises
    ------
    ImageError, ParameterError
        As :func:`~mri_tumor.explain.grad_cam` does.

    References
    ----------
    .. [1] Simonyan et al., "Deep Inside Convolutional Networks: Visualising Image Classification
       Models and Saliency Maps", 2013. arXiv:1312.6034

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import saliency
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> saliency(model, images).shape
    (2, 32, 32)
    """
    job = prepare(model, images, target=target, batch_size=batch_size, **options)

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        answer = job.engine.run(batch, targets, numbers=IMAGES, reduce=largest_channel)
        return answer.extra[0][0], answer

    return explain_with(job, explainer)
