"""Check images that are given as arrays, and make them grey 8-bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.images.colour import luma
from mri_tumor.images.intensity import Grey
from mri_tumor.images.limits import MIN_SIDE

_CHANNELS = (1, 3, 4)


def as_grey_image(
    array: npt.ArrayLike,
    name: str = "image",
    *,
    value_range: tuple[float, float] | None = None,
) -> Grey:
    """Check one image that is given as an array, and make it grey.

    Parameters
    ----------
    array : array_like of uint8 or float, shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)
        Grey, RGB or RGBA (composited on black); both sides at least 16 pixels. uint8 is taken
        as it is. Floats lie in [0, 1] or in [0, 255]: **if all are at most 1 they are in
        [0, 1], else in [0, 255]**.
    name : str, default="image"
        What messages call it.
    value_range : {(0, 1), (0, 255)}, optional
        The range of float values, for those who would rather say it.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Luma (ITU-R BT.601, as Pillow's "L"); floats are rounded to nearest.

    Raises
    ------
    ImageError
        If shape, dtype or range is another, or a value is NaN or infinite.

    Examples
    --------
    >>> as_grey_image(np.full((16, 16), 0.5))[0, 0]
    np.uint8(128)
    """
    values = _as_array(array, name)
    _check_shape(values, name)
    _check_values(values, name)
    top = _top(values, name, value_range)
    return _luma(values, top)


def as_grey_images(
    array: npt.ArrayLike,
    name: str = "images",
    *,
    value_range: tuple[float, float] | None = None,
) -> list[Grey]:
    """Check a batch of images that is given as one array, and make each grey.

    Parameters
    ----------
    array : array_like of uint8 or float, shape (n, h, w) or (n, h, w, c)
        As in `as_grey_image`, with c in (1, 3, 4). The range of floats is told once, from
        the whole batch, so that a dark image in it stays dark.
    name : str, default="images"
        What messages call it; `images[3]` is its fourth image.
    value_range : {(0, 1), (0, 255)}, optional
        The range of float values.

    Returns
    -------
    list of ndarray of uint8, shape (h, w)
        One per image.

    Raises
    ------
    ImageError
        If shape, dtype or range is another, or a value is NaN or infinite.

    Examples
    --------
    >>> [image.shape for image in as_grey_images(np.zeros((2, 20, 24, 3), np.uint8), "X")]
    [(20, 24), (20, 24)]
    """
    batch = _as_array(array, name)
    if batch.ndim not in (3, 4):
        _refuse_shape(batch, name, "(n, h, w) or (n, h, w, c)")
    if batch.ndim == 3 and batch.shape[-1] in _CHANNELS and min(batch.shape[:2]) >= MIN_SIDE:
        msg = (
            f"{name}: an array of shape {batch.shape} is one colour image, and several are "
            f"expected. Pass {name}[numpy.newaxis]."
        )
        raise ImageError(msg)
    if not len(batch):
        msg = f"{name}: there is no image in an array of shape {batch.shape}. Pass at least one."
        raise ImageError(msg)
    for index, image in enumerate(batch):
        _check_shape(image, f"{name}[{index}]")
        _check_values(image, f"{name}[{index}]")
    top = _top(batch, name, value_range)
    return [_luma(image, top) for image in batch]


def _as_array(array: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(array)
    except (ValueError, TypeError):
        msg = f"{name}: cannot be made an array. Pass one image of shape (h, w) or (h, w, 3)."
        raise ImageError(msg) from None


def _refuse_shape(values: npt.NDArray[Any], name: str, wanted: str) -> None:
    msg = f"{name}: an array of shape {values.shape} is no image. Pass {wanted} with c in 1, 3, 4."
    raise ImageError(msg)


def _check_shape(values: npt.NDArray[Any], name: str) -> None:
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[-1] not in _CHANNELS):
        _refuse_shape(values, name, "(h, w) or (h, w, c)")
    if min(values.shape[:2]) < MIN_SIDE:
        msg = (
            f"{name}: {values.shape[1]} x {values.shape[0]} pixels are too few. "
            f"Pass an image of at least {MIN_SIDE} x {MIN_SIDE}."
        )
        raise ImageError(msg)


def _check_values(values: npt.NDArray[Any], name: str) -> None:
    if values.dtype == np.uint8:
        return
    if not np.issubdtype(values.dtype, np.floating):
        msg = (
            f"{name}: dtype {values.dtype} is not accepted. Pass uint8 in [0, 255], or float in "
            "[0, 1] or [0, 255]; deeper images are scaled by whoever knows their range."
        )
        raise ImageError(msg)
    bad = int(values.size - np.count_nonzero(np.isfinite(values)))
    if bad:
        msg = f"{name}: {bad:,} values are NaN or infinite. Replace them first."
        raise ImageError(msg)


def _top(
    values: npt.NDArray[Any], name: str, value_range: tuple[float, float] | None
) -> float | None:
    """Return the value that stands for white, or None for uint8."""
    if value_range is not None and tuple(value_range) not in ((0, 1), (0, 255)):
        msg = f"value_range: {value_range!r} is not known. Pass (0, 1), (0, 255) or None."
        raise ParameterError(msg)
    if values.dtype == np.uint8:
        return None
    low, high = float(values.min()), float(values.max())
    top = float(value_range[1]) if value_range else (1.0 if high <= 1 else 255.0)
    if low < 0 or high > top:
        asked = f"[0, {top:g}]" if value_range else "[0, 1] or [0, 255]"
        msg = (
            f"{name}: values from {low:g} to {high:g} lie outside of {asked}. "
            "Scale them to it first."
        )
        raise ImageError(msg)
    return top


def _luma(values: npt.NDArray[Any], top: float | None) -> Grey:
    if top is not None:
        values = np.floor(values.astype(np.float64) * (255 / top) + 0.5).astype(np.uint8)
    if values.ndim == 2:
        return np.ascontiguousarray(values)
    if values.shape[-1] == 1:
        return np.ascontiguousarray(values[..., 0])
    return np.array(luma(Image.fromarray(np.ascontiguousarray(values))))
