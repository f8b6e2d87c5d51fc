"""Heatmaps of any network with a pooled head. Needs NumPy and Pillow alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.core import Explanation, Job, explain_with
from mri_tumor.explain.engine import Pass, check_images
from mri_tumor.explain.methods.occlusion import occlude
from mri_tumor.explain.targets import Targets, resolve_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mri_tumor.explain.closed_form import PooledHead
    from mri_tumor.explain.engine import Engine
    from mri_tumor.explain.options import TargetOptions


Network = Callable[["NDArray[Any]"], "Sequence[NDArray[Any]]"]


@dataclass(frozen=True)
class _Engine:
    """What a job asks of its engine: sizes, and passes without gradients."""

    network: Network
    head: PooledHead
    shape: tuple[int, int, int]

    @property
    def n_classes(self) -> int:
        return self.head.n_classes

    def run(self, images: NDArray[Any], targets: Targets, *, differentiate: bool = False) -> Pass:
        del differentiate
        return self.answer(self.network(images)[1], targets)

    def answer(self, features: NDArray[Any], targets: Targets) -> Pass:
        """Return what the head says of feature maps, as `mri_tumor.explain.engine` does."""
        scores, probabilities = self.head.scores(features), self.head.probabilities(features)
        chosen = self.head.chosen(scores, targets)
        rows = np.arange(len(scores))
        masked = np.where(targets.mask, scores, -np.inf)
        highest = masked.max(axis=1)
        together = highest + np.log(np.exp(masked - highest[:, None]).sum(axis=1))
        total = np.where(targets.mask, probabilities, 0.0).sum(axis=1)
        score = np.where(targets.summed, together, scores[rows, chosen])
        probability = np.where(targets.summed, total, probabilities[rows, chosen])
        return Pass(probabilities, score, probability, chosen, [])


def pooled_grad_cam(
    network: Network,
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
    return _from_feature_map(head.evidence, network, head, images, target, batch_size, options)


def pooled_head_cam(
    network: Network,
    head: PooledHead,
    images: Any,
    *,
    target: Any = None,
    batch_size: int = 32,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain a batch by laying the head on each cell of the feature map.

    Parameters
    ----------
    network, head, images, target, batch_size, **options
        As in `pooled_grad_cam`.

    Returns
    -------
    Explanation
        As `pooled_grad_cam` gives.

    Raises
    ------
    ImageError, ParameterError
        As `pooled_grad_cam` does.
    """
    return _from_feature_map(
        head.cell_evidence, network, head, images, target, batch_size, options
    )


def pooled_occlusion(
    network: Network,
    head: PooledHead,
    images: Any,
    *,
    target: Any = None,
    batch_size: int = 32,
    patch: int | None = None,
    step: int | None = None,
    baseline: float = 0.0,
    **options: Unpack[TargetOptions],
) -> Explanation:
    """Explain a batch by occlusion, which asks nothing but answers of the network.

    Parameters
    ----------
    network, head, images, target, batch_size
        As in `pooled_grad_cam`.
    patch, step, baseline
        As in :func:`mri_tumor.explain.occlusion`.
    **options
        See :class:`mri_tumor.explain.TargetOptions`.

    Returns
    -------
    Explanation
        As `pooled_grad_cam` gives.

    Raises
    ------
    ImageError, ParameterError
        As `pooled_grad_cam` does; also for a patch larger than the image.
    """
    _, job = _prepare(network, head, images, target, batch_size, options)
    return occlude(job, patch=patch, step=step, baseline=baseline)


def _from_feature_map(  # noqa: PLR0917
    evidence: Callable[..., NDArray[np.float32]],
    network: Network,
    head: PooledHead,
    images: Any,
    target: Any,
    batch_size: int,
    options: TargetOptions,
) -> Explanation:
    engine, job = _prepare(network, head, images, target, batch_size, options)

    def explainer(
        batch: NDArray[np.float32], targets: Targets
    ) -> tuple[NDArray[np.float32], Pass]:
        features = network(batch)[1]
        answer = engine.answer(features, targets)
        return evidence(features, targets, shape=engine.shape[:2]), answer

    return explain_with(job, explainer)


def _prepare(  # noqa: PLR0917
    network: Network,
    head: PooledHead,
    images: Any,
    target: Any,
    batch_size: int,
    options: TargetOptions,
) -> tuple[_Engine, Job]:
    array = check_images(images)
    height, width, channels = array.shape[1:]
    engine = _Engine(network, head, (height, width, channels))
    names = options.get("class_names")
    job = Job(
        engine=cast("Engine", engine),
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
    return engine, job
