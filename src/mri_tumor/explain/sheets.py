"""Lay out heatmaps side by side, and volumes slice by slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain.picture import NOTICE, color_bar, tile, to_rgb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mri_tumor.explain.heatmap import Heatmap


def sheet(
    heatmaps: Sequence[Heatmap],
    *,
    columns: int | None = None,
    captions: Sequence[str] | None = None,
    side_by_side: bool = True,
    opacity: float = 0.45,
    colormap: str = "inferno",
    contour: float | None = None,
) -> NDArray[np.uint8]:
    """Lay out several heatmaps as one picture with a colour bar.

    Parameters
    ----------
    heatmaps : sequence of Heatmap
        Each must hold its image.
    columns : int, optional
        Heatmaps per row; by default as near to a square as possible.
    captions : sequence of str, optional
        One line each; by default target and method.
    side_by_side : bool, default=True
        Show the plain image to the left of each overlay.
    opacity, colormap, contour
        As in :meth:`Heatmap.overlay`.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The sheet, with the notice that this is no medical device at its foot.

    Raises
    ------
    ImageError
        If a heatmap holds no image.
    ParameterError
        If there is no heatmap, or an option is outside of what is allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from mri_tumor import Heatmap
    >>> values, image = np.eye(64, dtype="float32"), np.zeros((64, 64), "uint8")
    >>> heatmaps = [Heatmap(values, target="glioma", method="grad_cam", image=image)] * 4
    >>> picture = sheet(heatmaps, columns=2)
    >>> picture.dtype.name, picture.shape[2]
    ('uint8', 3)
    """
    panels = []
    for heatmap in heatmaps:
        drawn = heatmap.overlay(opacity=opacity, colormap=colormap, contour=contour)
        if side_by_side and heatmap.image is not None:
            drawn = np.concatenate([to_rgb(heatmap.image), drawn], axis=1)
        panels.append(drawn)
    lines = [heatmap.caption for heatmap in heatmaps] if captions is None else captions
    body = tile(panels, columns=columns, captions=lines, footer=NOTICE)
    bar = color_bar(body.shape[0], colormap=colormap)
    space = np.zeros((body.shape[0], 6, 3), np.uint8)
    return np.concatenate([body, space, bar], axis=1)


def montage(
    slices: Sequence[Heatmap] | NDArray[Any],
    *,
    columns: int | None = None,
    every: int = 1,
    first: int = 0,
    **options: Any,
) -> NDArray[np.uint8]:
    """Lay out the slices of a volume, numbered, with their heatmaps where there are any.

    Parameters
    ----------
    slices : sequence of Heatmap, or ndarray of shape (n, h, w) or (n, h, w, 3)
        The slices in order. A plain volume is shown on one grey scale for all slices.
    columns : int, optional
        Slices per row; by default as near to a square as possible.
    every : int, default=1
        Show each n-th slice only.
    first : int, default=0
        Number of the first slice in the captions.
    **options
        What :meth:`Heatmap.overlay` takes.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The picture.

    Raises
    ------
    ImageError
        If a slice cannot be shown.
    ParameterError
        If there is no slice, or an option is outside of what is allowed.

    Examples
    --------
    >>> import numpy as np
    >>> from mri_tumor import Heatmap
    >>> values, image = np.eye(64, dtype="float32"), np.zeros((64, 64), "uint8")
    >>> heatmaps = [Heatmap(values, target="glioma", method="grad_cam", image=image)] * 4
    >>> picture = montage(heatmaps)
    >>> picture.dtype.name, picture.shape[2]
    ('uint8', 3)
    """
    if every < 1:
        raise ParameterError(f"every: must be at least 1, got {every}")
    if len(slices) == 0:
        raise ParameterError("slices: there is none")
    if isinstance(slices, np.ndarray):
        if slices.ndim not in (3, 4):
            raise ImageError(f"slices: expected (n, h, w) or (n, h, w, 3), got {slices.shape}")
        # Joined into one tall image, so that all slices get the same grey scale.
        joined = to_rgb(slices.reshape(-1, *slices.shape[2:]))
        pictures = list(joined.reshape(*slices.shape[:3], 3))
    else:
        pictures = [heatmap.overlay(**options) for heatmap in slices]
    numbers = range(first, first + len(pictures))
    return tile(
        pictures[::every],
        columns=columns,
        captions=[str(number) for number in numbers[::every]],
        footer=NOTICE,
    )
