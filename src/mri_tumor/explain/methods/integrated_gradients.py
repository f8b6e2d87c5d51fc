"""Integrated gradients: share the score's rise from a baseline among the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.checks import whole
from mri_tumor.explain.core import Explanation, Job, explain_with, method, pin, prepare
from mri_tumor.explain.methods.pieces import IMAGES, gradient_only

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from mri_tumor.explain.engine import Pass
    from mri_tumor.explain.options import TargetOptions
    from mri_tumor.explain.targets import Target, Targets


@method
def integrated_gradients(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    batch_size: int = 32,
    steps: int = 32,
    baseline: ArrayLike = 0.0,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain images by integrated gradients.

    The gradient of the class's score by the pixels is averaged along the straight line from a
    baseline to the image, and multiplied by the difference of both [1]_. Summed over all pixels,
    that is what the score rises by; the map is the positive part of its sum over the channels.

    Parameters
    ----------
    model, images, target, batch_size, **options
        As in :func:`~mri_tumor.explain.grad_cam`, without what concerns layers.
    steps : int, default=32
        Points on the line, in the middle of as many equal pieces.
    baseline : float or array_like of shape (h, w, c), default=0.0
        Image that stands for nothing, in the model's input range: 0 for black.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere.

    Raises
    ------
    ImageError, ParameterError
        As :func:`~mri_tumor.explain.grad_cam` does; also for wrong `steps` or `baseline`.

    References
    ----------
    .. [1] Sundararajan et al., "Axiomatic Attribution for Deep Networks", ICML 2017.
       arXiv:1703.01365

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import integrated_gradients
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> integrated_gradients(model, images, steps=4).shape
    (2, 32, 32)
    """
    count = whole("steps", steps, low=1)
    job = prepare(model, images, target=target, batch_size=batch_size, **options)
    start = _baseline(baseline, job.engine.shape)

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        answer = job.engine.run(batch, targets, differentiate=False)
        shares = attributions(job, batch, pin(targets, answer.chosen), start, count)
        return np.maximum(shares.sum(axis=-1), 0.0), answer

    return explain_with(job, explainer)


def attributions(
    job: Job,
    batch: NDArray[np.float32],
    targets: Targets,
    start: NDArray[np.float32],
    count: int,
) -> NDArray[np.float32]:
    """Return each pixel's signed share of the score's rise, shape (n, h, w, c)."""
    total = np.zeros_like(batch)
    for place in (np.arange(count) + 0.5) / count:
        between = (start + place * (batch - start)).astype(np.float32)
        run = job.engine.run(between, targets, numbers=IMAGES, reduce=gradient_only)
        total += run.extra[0][0]
    return np.asarray((batch - start) * total / count, dtype=np.float32)


def _baseline(baseline: ArrayLike, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    try:
        start = np.broadcast_to(np.asarray(baseline, np.float32), shape)
    except (TypeError, ValueError):
        start = np.full(shape, np.nan, np.float32)
    if not np.isfinite(start).all():
        raise ParameterError(
            f"baseline: expected a finite number or an image of shape {shape}, in the model's input "
            "range"
        )
    return start
