"""Explain images as they are given: prepare them, and bring the maps back to their pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.heatmap import Heatmap
from mri_tumor.images.collection import prepared_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from mri_tumor.explain.core import Explanation
    from mri_tumor.images.collection import ImageCollection
    from mri_tumor.images.preprocessing import Preprocessing


def explain_images(
    explain: Callable[..., Explanation],
    images: ImageCollection,
    settings: Preprocessing,
    *,
    target: Any,
    method: str,
    batch_size: int = 32,
) -> list[Heatmap]:
    """Explain a collection of images.

    Parameters
    ----------
    explain : callable
        Takes model input (n, size, size, 3) and ``target``.
    images : ImageCollection
        The images.
    settings : Preprocessing
        How model input is made of them.
    target : int, str, None or sequence
        What to explain: one target for all images, or one for each.
    method : str
        Name of the method, for the heatmaps.
    batch_size : int, default=32
        Images that are read and explained together.

    Returns
    -------
    list of Heatmap
        One per image, in the pixels of the image as given.

    Raises
    ------
    ImageError
        If an image cannot be read.
    ParameterError
        If there are as many targets as there are not images, or as `explain` raises.
    """
    many = isinstance(target, (list, tuple)) or (
        isinstance(target, np.ndarray) and target.ndim == 1
    )
    if many and len(target) != len(images):
        message = (
            f"target: {len(target)} targets for {len(images)} images. Pass one for all, or "
            "one for each."
        )
        raise ParameterError(message)
    heatmaps: list[Heatmap] = []
    for batch in prepared_batches(images, settings, batch_size=batch_size):
        for error in batch.errors.values():
            raise error
        found = explain(
            batch.values, target=[target[i] for i in batch.indices] if many else target
        )
        heatmaps += [
            Heatmap(geometry.to_original(values), target=chosen, method=method, image=image)
            for values, chosen, geometry, image in zip(
                found.maps, found.targets, batch.geometries, batch.originals, strict=True
            )
        ]
    return heatmaps
