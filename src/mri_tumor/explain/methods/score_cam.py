"""Score-CAM: weigh each channel by the score of the image seen through it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.core import Explanation, combine, explain_with, method, pin, prepare
from mri_tumor.explain.layers import choose_layers
from mri_tumor.explain.maps import enlarge, normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mri_tumor.explain.engine import Engine, Pass
    from mri_tumor.explain.options import TargetOptions
    from mri_tumor.explain.targets import Target, Targets


@method
def score_cam(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    layer: Any = None,
    batch_size: int = 32,
    channels: int | None = 64,
    baseline: float = 0.0,
    strides: Sequence[int] | None = None,
    fuse: str = "product",
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain images by Score-CAM.

    Each channel, enlarged and stretched to [0, 1], masks the image; a softmax over the channels of
    the class's score (logit) on these masked images gives their weights, and the map is the
    positive part of the weighted sum of the channels [1]_. No gradient is used. One pass per
    channel and image makes it slow, so only the channels that vary most over the image are taken.

    Parameters
    ----------
    model, images, target, layer, batch_size, strides, fuse, **options
        As in :func:`~mri_tumor.explain.grad_cam`.
    channels : int or None, default=64
        How many channels to take, by their standard deviation over the cells; None for all, as in
        the paper.
    baseline : float, default=0.0
        Pixel value that stands for nothing, in the model's input range: 0 for black.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere.

    Raises
    ------
    ImageError, ParameterError
        As :func:`~mri_tumor.explain.grad_cam` does; also for wrong `channels` or `baseline`.

    References
    ----------
    .. [1] Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural
       Networks", CVPR Workshops 2020. arXiv:1910.01279

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import score_cam
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> score_cam(model, images).shape
    (2, 32, 32)
    """
    keep = None if channels is None else whole("channels", channels, low=1)
    empty = real("baseline", baseline, low=-math.inf)
    job = prepare(model, images, target=target, batch_size=batch_size, **options)
    numbers = choose_layers(job.engine, layer, strides)

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        answer = job.engine.run(batch, targets, numbers=numbers, differentiate=False)
        fixed = pin(targets, answer.chosen)
        stack = []
        for (values,) in answer.extra:
            maps = [
                _weighted(
                    job.engine,
                    batch[i],
                    values[i],
                    fixed[i : i + 1],
                    keep=keep,
                    empty=empty,
                    batch_size=batch_size,
                )
                for i in range(len(batch))
            ]
            stack.append(enlarge(np.stack(maps), job.engine.shape[:2]))
        return combine(stack, fuse=fuse), answer

    return explain_with(job, explainer)


def _weighted(
    engine: Engine,
    image: NDArray[np.float32],
    values: NDArray[np.float32],
    target: Targets,
    *,
    keep: int | None,
    empty: float,
    batch_size: int,
) -> NDArray[np.float32]:
    """Return one image's coarse map from its layer's values (a, b, channels)."""
    planes = np.moveaxis(values, -1, 0)
    spread = planes.std(axis=(1, 2))
    best = np.argsort(-spread, kind="stable")[:keep]
    planes = planes[best[spread[best] > 0]]
    if not len(planes):
        return np.zeros(values.shape[:2], np.float32)
    scores = []
    for start in range(0, len(planes), batch_size):
        part = enlarge(planes[start : start + batch_size], engine.shape[:2])
        masks = normalise(part - part.min(axis=(1, 2), keepdims=True))[..., None]
        masked = image * masks + np.float32(empty) * (1 - masks)
        scores.append(engine.run(masked, target.repeat(len(masked)), differentiate=False).score)
    logits = np.concatenate(scores)
    weights = np.exp(logits - logits.max())
    weights /= weights.sum()
    return np.asarray(np.maximum(np.tensordot(weights, planes, 1), 0.0), dtype=np.float32)
