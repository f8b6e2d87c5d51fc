"""Grad-CAM by the closed form, whatever computes the feature map. Needs NumPy alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.core import Explanation, Job, explain_with
from mri_tumor.explain.engine import Pass, check_images
from mri_tumor.explain.targets import Targets, resolve_targets

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mri_tumor.explain.closed_form import PooledHead
    from mri_tumor.explain.engine import Engine
    from mri_tumor.explain.options import TargetOptions


@dataclass(frozen=True)
class _Sizes:
    """What a job asks of its engine: the size of the images, and how many classes there are."""

    shape: tuple[int, int, int]
    n_classes: int


def pooled_grad_cam(
    network: Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]],
    head: PooledHead,
    images: Any,
    *,
    target: Any = None,
    batch_size: int = 32,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain a batch by Grad-CAM from its feature map and the head's weights.

    Parameters
    ----------
    network : callable
        From images (n, h, w, c) to outputs and feature map, shape (n, a, b, channels).
    head : PooledHead
        What follows the feature map.
    images : array_like of int or float, shape (n, h, w, c)
        A batch of model input.
    target : int, str, None, or a sequence of these with one entry per image
        As in :func:`mri_tumor.explain.grad_cam`.
    batch_size : int, default=32
        Images per pass.
    **options
        See :class:`mri_tumor.explain.TargetOptions`.

    Returns
    -------
    Explanation
        Maps, probabilities, and the class explained in each image.

    Raises
    ------
    ImageError
        If `images` is no finite batch.
    ParameterError
        If a target or an option is outside of what is allowed.
    """
    array = check_images(images)
    height, width, channels = array.shape[1:]
    names = options.get("class_names")
    job = Job(
        engine=cast("Engine", _Sizes((height, width, channels), head.n_classes)),
        images=array,
        targets=resolve_targets(
            target,
            n_images=len(array),
            n_classes=head.n_classes,
            class_names=names,
            negative_class=options.get("negative_class"),
        ),
        class_names=names,
        batch_size=whole("batch_size", batch_size, low=1),
        flip=options.get("flip", False),
        shift=whole("shift", options.get("shift", 0), low=0, high=min(height, width) - 1),
        blur=real("blur", options.get("blur", 0.0), low=0.0, high=max(height, width)),
    )

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        features = network(batch)[1]
        scores, probabilities = head.scores(features), head.probabilities(features)
        chosen = head.chosen(scores, targets)
        rows = np.arange(len(batch))
        answer = Pass(probabilities, scores[rows, chosen], probabilities[rows, chosen], chosen, [])
        return head.evidence(features, targets, shape=(height, width)), answer

    return explain_with(job, explainer)
