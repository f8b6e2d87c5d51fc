"""Occlusion: cover the image piece by piece and see what the score loses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.core import Explanation, Job, explain_with, method, pin, prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.explain.engine import Engine, Pass
    from mri_tumor.explain.options import TargetOptions
    from mri_tumor.explain.targets import Target, Targets


@method
def occlusion(
    model: Any,
    images: Any,
    *,
    target: Target = None,
    batch_size: int = 32,
    patch: int | None = None,
    step: int | None = None,
    baseline: float = 0.0,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain images by occlusion.

    A square patch covers each place in turn [1]_. A pixel's evidence is the mean loss of the
    class's score (logit) over the patches that cover it; where covering raises the score, it is 0.
    It works on any classifier, also one that hides its layers, at one pass per place and image.

    Parameters
    ----------
    model, images, target, batch_size, **options
        As in :func:`~mri_tumor.explain.grad_cam`, without what concerns layers.
    patch : int, optional
        Side of the patch in pixels; by default an eighth of the image's shorter side.
    step : int, optional
        Pixels from place to place; by default half of the patch. The last place in each row and
        column touches the border, so every pixel is covered.
    baseline : float, default=0.0
        Pixel value of the patch, in the model's input range: 0 for black.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Evidence in [0, 1]; each map's maximum is 1, or it is zero everywhere.

    Raises
    ------
    ImageError, ParameterError
        As :func:`~mri_tumor.explain.grad_cam` does; also for a patch larger than the image.

    References
    ----------
    .. [1] Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014.
       arXiv:1311.2901

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from mri_tumor.explain import occlusion
    >>> layers = [keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D(),
    ...           keras.layers.Dense(2, activation="softmax")]
    >>> model = keras.Sequential([keras.Input((32, 32, 3)), *layers])
    >>> images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    >>> occlusion(model, images, patch=16, step=16).shape
    (2, 32, 32)
    """
    job = prepare(model, images, target=target, batch_size=batch_size, **options)
    return occlude(job, patch=patch, step=step, baseline=baseline)


def occlude(
    job: Job, *, patch: int | None = None, step: int | None = None, baseline: float = 0.0
) -> Explanation:
    """Run the method on whatever engine a job has.

    Parameters
    ----------
    job : Job
        What to explain.
    patch, step, baseline
        As in `occlusion`.

    Returns
    -------
    Explanation
        Normalised maps and the answers.

    Raises
    ------
    ParameterError
        If the patch or the step does not fit the image.
    """
    shorter = min(job.engine.shape[:2])
    side = max(shorter // 8, 1) if patch is None else whole("patch", patch, low=1, high=shorter)
    stride = max(side // 2, 1) if step is None else whole("step", step, low=1, high=side)
    empty = real("baseline", baseline, low=-math.inf)
    places = [
        (y, x)
        for y in _starts(job.engine.shape[0], side, stride)
        for x in _starts(job.engine.shape[1], side, stride)
    ]

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        answer = job.engine.run(batch, targets, differentiate=False)
        fixed = pin(targets, answer.chosen)
        maps = [
            _losses(
                job.engine,
                batch[i],
                fixed[i : i + 1],
                score=answer.score[i],
                places=places,
                side=side,
                empty=empty,
                batch_size=job.batch_size,
            )
            for i in range(len(batch))
        ]
        return np.stack(maps), answer

    return explain_with(job, explainer)


def _starts(size: int, side: int, stride: int) -> list[int]:
    last = size - side
    return [*range(0, last, stride), last]


def _losses(
    engine: Engine,
    image: NDArray[np.float32],
    target: Targets,
    *,
    score: np.float32,
    places: list[tuple[int, int]],
    side: int,
    empty: float,
    batch_size: int,
) -> NDArray[np.float32]:
    total = np.zeros(image.shape[:2], np.float32)
    count = np.zeros(image.shape[:2], np.float32)
    for start in range(0, len(places), batch_size):
        part = places[start : start + batch_size]
        covered = np.repeat(image[None], len(part), axis=0)
        for copy, (y, x) in zip(covered, part, strict=True):
            copy[y : y + side, x : x + side] = empty
        scores = engine.run(covered, target.repeat(len(part)), differentiate=False).score
        for (y, x), left in zip(part, scores, strict=True):
            total[y : y + side, x : x + side] += score - left
            count[y : y + side, x : x + side] += 1
    return np.asarray(np.maximum(total / count, 0.0), dtype=np.float32)
