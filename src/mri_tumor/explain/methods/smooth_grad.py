"""SmoothGrad: saliency averaged over noisy copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.core import Explanation, explain_with, method, pin, prepare
from mri_tumor.explain.methods.pieces import IMAGES, gradient_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.explain.engine import Pass
    from mri_tumor.explain.options import TargetOptions
    from mri_tumor.explain.targets import Target, Targets


@method
def smooth_grad(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    batch_size: int = 32,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain images by SmoothGrad.

    The gradient of the class's score by the pixels is averaged over noisy copies of the image, and
    then read as saliency is: its size, the largest over the colour channels [1]_.

    Parameters
    ----------
    model, images, target, batch_size, **options
        As in :func:`~mri_tumor.explain.grad_cam`, without what concerns layers.
    samples : int, default=25
        Noisy copies per image.
    noise : float, default=0.15
        Standard deviation of the noise as a share of the image's range.
    seed : int, default=0
        Seed of the noise. All images get the same noise, scaled to their range, so an image's map
        does not depend on the others in the batch.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Sensitivity in [0, 1]; each map's maximum is 1, or it is zero everywhere.

    Raises
    ------
    ImageError, ParameterError
        As :func:`~mri_tumor.explain.grad_cam` does; also for wrong `samples` or `noise`.

    References
    ----------
    .. [1] Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017. arXiv:1706.03825

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import smooth_grad
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> smooth_grad(model, images).shape
    (2, 32, 32)
    """
    count = whole("samples", samples, low=1)
    share = real("noise", noise, low=0.0)
    job = prepare(model, images, target=target, batch_size=batch_size, **options)

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        answer = job.engine.run(batch, targets, differentiate=False)
        fixed = pin(targets, answer.chosen)
        spread = share * np.ptp(batch, axis=(1, 2, 3), keepdims=True)
        rng = np.random.default_rng(seed)
        total = np.zeros_like(batch)
        for _ in range(count):
            grain = rng.standard_normal(batch.shape[1:], dtype=np.float32)
            copies = (batch + spread * grain).astype(np.float32)
            run = job.engine.run(copies, fixed, numbers=IMAGES, reduce=gradient_only)
            total += run.extra[0][0]
        return np.abs(total / count).max(axis=-1), answer

    return explain_with(job, explainer)
