"""How well a map meets a known region. NumPy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.checks import real
from mri_tumor.explain.heatmap import Heatmap

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def box_mask(box: ArrayLike, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark a box's pixels.

    Parameters
    ----------
    box : array_like of float, shape (4,)
        x of the centre, y of the centre, width and height, as fractions of the image's width and
        height (the order that YOLO uses).
    shape : tuple of int
        The image's height and width in pixels.

    Returns
    -------
    ndarray of bool, shape (h, w)
        True where a pixel's centre lies in the box; where none does, at the box's own centre.

    Raises
    ------
    ParameterError
        If the box is not four finite numbers, has no area, or lies outside of the image.

    Examples
    --------
    >>> box_mask([0.5, 0.5, 0.5, 0.25], (4, 4)).astype(int).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    """
    numbers = np.asarray(box, dtype=np.float64)
    if numbers.shape != (4,) or not np.isfinite(numbers).all():
        raise ParameterError(f"box: expected x, y, width, height as fractions, got {box!r}")
    x, y, width, height = numbers.tolist()
    if width <= 0 or height <= 0 or not (0 <= x <= 1 and 0 <= y <= 1):
        raise ParameterError(
            f"box: {numbers.tolist()} has no area or its centre lies outside of the image; expected "
            "x, y, width, height as fractions of the image"
        )
    rows = (np.arange(shape[0]) + 0.5) / shape[0]
    columns = (np.arange(shape[1]) + 0.5) / shape[1]
    # The rim belongs to the box on one side only, so that boxes side by side share no pixel.
    inside_y = (rows >= y - height / 2) & (rows < y + height / 2)
    inside_x = (columns >= x - width / 2) & (columns < x + width / 2)
    mask: NDArray[np.bool_] = inside_y[:, None] & inside_x[None, :]
    if not mask.any():
        mask[min(int(y * shape[0]), shape[0] - 1), min(int(x * shape[1]), shape[1] - 1)] = True
    return mask


def _checked(values: Any, mask: Any) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    values, mask = np.asarray(values, np.float32), np.asarray(mask)
    if values.ndim != 2 or mask.shape != values.shape or mask.dtype != np.bool_:
        raise ParameterError(
            f"mask: expected bool of the map's shape {values.shape}, got {mask.dtype} of shape "
            f"{mask.shape}"
        )
    if not mask.any():
        raise ParameterError("mask: it marks no pixel")
    return values, mask


def pointing_game(values: ArrayLike, mask: ArrayLike, *, tolerance: float = 0.0) -> bool:
    """Tell whether a map's peak hits a region.

    Parameters
    ----------
    values : array_like of float, shape (h, w)
        The map in [0, 1].
    mask : array_like of bool, shape (h, w)
        The region.
    tolerance : float, default=0.0
        How far from the region the peak may lie, as a fraction of the image's sides (the authors
        allow 15 pixels of about 300 to 500).

    Returns
    -------
    bool
        True for a hit. A flat map has no peak and misses.

    Raises
    ------
    ParameterError
        If the mask does not fit or is empty, or the tolerance is negative.

    References
    ----------
    .. [1] Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016.
       arXiv:1608.00507

    Examples
    --------
    >>> mask = np.zeros((4, 4), bool)
    >>> mask[0, 0] = True
    >>> values = np.zeros((4, 4))
    >>> values[0, 1] = 1
    >>> pointing_game(values, mask), pointing_game(values, mask, tolerance=0.25)
    (False, True)
    """
    return peak_distance(values, mask) <= real("tolerance", tolerance, low=0.0)


def peak_distance(values: ArrayLike, mask: ArrayLike) -> float:
    """Measure how far a map's peak lies from a region.

    Parameters
    ----------
    values : array_like of float, shape (h, w)
        The map in [0, 1].
    mask : array_like of bool, shape (h, w)
        The region.

    Returns
    -------
    float
        Distance between pixel centres as a fraction of the image's sides: 0 inside, infinite for a
        flat map.

    Raises
    ------
    ParameterError
        If the mask does not fit or is empty.
    """
    checked, region = _checked(values, mask)
    peak = Heatmap(checked, "", "").peak
    if peak is None:
        return float("inf")
    height, width = region.shape
    rows, columns = np.nonzero(region)
    across = (columns + 0.5) / width - peak[0]
    down = (rows + 0.5) / height - peak[1]
    return float(np.sqrt((across**2 + down**2).min()))


def energy_inside(values: ArrayLike, mask: ArrayLike) -> float:
    """Return the share of a map's sum that lies in a region.

    Parameters
    ----------
    values : array_like of float, shape (h, w)
        The map in [0, 1].
    mask : array_like of bool, shape (h, w)
        The region.

    Returns
    -------
    float
        Share in [0, 1]. A map that is zero everywhere has none inside: 0. An even map scores the
        region's share of the image.

    Raises
    ------
    ParameterError
        If the mask does not fit or is empty.

    References
    ----------
    .. [1] Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural
       Networks", CVPR Workshops 2020 (energy-based pointing game). arXiv:1910.01279
    """
    checked, region = _checked(values, mask)
    total = float(checked.sum(dtype=np.float64))
    return float(checked[region].sum(dtype=np.float64)) / total if total > 0 else 0.0


def best_iou(values: ArrayLike, mask: ArrayLike) -> tuple[float, float]:
    """Find the threshold at which a map overlaps a region best.

    Parameters
    ----------
    values : array_like of float, shape (h, w)
        The map in [0, 1].
    mask : array_like of bool, shape (h, w)
        The region.

    Returns
    -------
    iou : float
        Largest intersection over union, in [0, 1], of the region and the pixels at or above a
        threshold above zero. It flatters: the threshold is chosen by the region itself [1]_.
    threshold : float
        The threshold, in (0, 1]; 1 for a map that is zero everywhere, whose overlap is 0.

    Raises
    ------
    ParameterError
        If the mask does not fit or is empty.

    References
    ----------
    .. [1] Choe et al., "Evaluating Weakly Supervised Object Localization Methods Right", CVPR 2020.
       arXiv:2001.07437

    Examples
    --------
    >>> best_iou([[0.2, 0.8], [0.6, 0.0]], np.array([[False, True], [True, False]]))
    (1.0, 0.6000000238418579)
    """
    checked, region = _checked(values, mask)
    flat, inside = checked.ravel(), region.ravel()
    order = np.argsort(-flat, kind="stable")
    sorted_values = flat[order]
    hits = np.cumsum(inside[order])
    taken = np.arange(1, len(flat) + 1)
    iou = hits / (taken + inside.sum() - hits)
    # Pixels of one value are taken together: only the last of them is a threshold's result.
    last = np.append(sorted_values[1:] != sorted_values[:-1], True)
    valid = last & (sorted_values > 0)
    if not valid.any():
        return 0.0, 1.0
    best = int(np.argmax(np.where(valid, iou, -1.0)))
    return float(iou[best]), float(sorted_values[best])
