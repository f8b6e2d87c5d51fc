"""Arithmetic on maps that needs NumPy alone: enlarge, normalise, fuse, shift back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FUSIONS = ("product", "mean", "max")
# A sum of float32 terms that should cancel leaves about 1e-7 of their size behind. A map whose
# maximum is no larger than this share of its terms is rounding, not evidence; divided by its own
# maximum, it would turn all red.
_ROUNDING = 1e-6


@cache
def _weights(size: int, target: int) -> NDArray[np.float32]:
    """Rows of bilinear weights, pixel centres at half-integers, border pixels extended."""
    place = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, size - 1)
    share = place - low
    weights = np.zeros((target, size), np.float32)
    weights[np.arange(target), low] = 1.0 - share
    weights[np.arange(target), high] += share
    weights.flags.writeable = False
    return weights


def enlarge(maps: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize maps to an image's height and width, so that both align to the pixel.

    Bilinear with pixel centres at half-integers and without antialiasing, as in
    ``tf.image.resize``: cell (i, j) of an (a, b) map covers the pixels from (i h / a, j w / b) to
    ((i + 1) h / a, (j + 1) w / b) of an (h, w) image, and nothing is shifted.

    Parameters
    ----------
    maps : ndarray of float, shape (n, a, b)
        Maps of any range.
    shape : tuple of int
        Height and width wanted.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        The maps, in the range that they had.

    Examples
    --------
    >>> enlarge(np.array([[[0.0, 1.0]]]), (1, 4)).tolist()
    [[[0.0, 0.25, 0.75, 1.0]]]
    """
    maps = np.asarray(maps, dtype=np.float32)
    rows, columns = _weights(maps.shape[1], shape[0]), _weights(maps.shape[2], shape[1])
    return np.asarray(rows @ maps @ columns.T, dtype=np.float32)


def enlarge_smoothly(maps: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resize maps as `enlarge` does, by a smooth curve, so that a peak may lie between cells.

    Parameters
    ----------
    maps : ndarray of float, shape (n, a, b)
        Maps of any range.
    shape : tuple of int
        Height and width wanted.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Lanczos-interpolated; the range may be left by a little.
    """
    from PIL import Image

    height, width = shape
    large = np.empty((len(maps), height, width), np.float32)
    for one, out in zip(np.asarray(maps, np.float32), large, strict=True):
        picture = Image.fromarray(one).resize((width, height), Image.Resampling.LANCZOS)
        out[...] = np.asarray(picture)
    return large


def drop_rounding(maps: NDArray[np.floating], size: NDArray[np.floating]) -> NDArray[np.float32]:
    """Clear maps that are nothing but rounding.

    Parameters
    ----------
    maps : ndarray of float, shape (n, h, w)
        Evidence.
    size : ndarray of float, shape (n,)
        Size of the terms that each map was summed from.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        The maps; those whose maximum is below a millionth of their terms are zero.
    """
    kept = ~(maps.max(axis=(1, 2)) <= _ROUNDING * np.asarray(size))
    return np.where(kept[:, None, None], maps, 0.0).astype(np.float32)


def normalise(maps: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bring each map to [0, 1] by its own maximum; a map without evidence becomes all zero.

    Parameters
    ----------
    maps : ndarray of float, shape (n, h, w)
        Evidence; what is negative counts as none.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Maps whose maximum is 1, or all zero.

    Raises
    ------
    ParameterError
        If a map holds NaN or infinities: the model's output or weights are broken.

    Examples
    --------
    >>> normalise(np.array([[[-1.0, 2.0, 4.0]], [[-1.0, -2.0, 0.0]]])).tolist()
    [[[0.0, 0.5, 1.0]], [[0.0, 0.0, 0.0]]]
    """
    if not np.isfinite(maps).all():
        raise ParameterError(
            "model: the explanation holds NaN or infinite values, so the model's weights or scores "
            "do too; check model.predict on these images"
        )
    positive: NDArray[np.float32] = np.maximum(maps, 0.0).astype(np.float32)
    highest = positive.max(axis=(1, 2), keepdims=True, initial=0.0)
    result: NDArray[np.float32] = np.zeros_like(positive)
    np.divide(positive, highest, out=result, where=highest > 0)
    return result


def fuse_maps(
    stack: Sequence[NDArray[np.floating]], *, how: str = "product"
) -> NDArray[np.float32]:
    """Combine several layers' maps of the same images into one.

    Parameters
    ----------
    stack : sequence of ndarray of float, shape (n, h, w)
        One entry per layer, each in [0, 1] and of the same shape.
    how : {"product", "mean", "max"}
        The geometric mean (all layers must agree, the finest draws the outline), the arithmetic
        mean, or the largest value (as LayerCAM's authors fuse stages [1]_).

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Values in [0, 1], not normalised again.

    Raises
    ------
    ParameterError
        If `how` is unknown.

    References
    ----------
    .. [1] Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization",
       IEEE TIP 30, 2021. doi:10.1109/TIP.2021.3089943
    """
    values = np.stack([np.asarray(item, dtype=np.float32) for item in stack])
    if how == "product":
        return np.asarray(np.prod(values, axis=0) ** (1.0 / len(values)), dtype=np.float32)
    if how == "mean":
        return np.asarray(values.mean(axis=0), dtype=np.float32)
    if how == "max":
        return np.asarray(values.max(axis=0), dtype=np.float32)
    raise ParameterError(f"fuse: unknown {how!r}; use one of {', '.join(FUSIONS)}")


def move(images: NDArray[np.floating], dy: int, dx: int) -> NDArray[np.float32]:
    """Shift images or maps down by `dy` and right by `dx` pixels, their border pixels repeated.

    Parameters
    ----------
    images : ndarray of float, shape (n, h, w) or (n, h, w, c)
        Images or maps.
    dy, dx : int
        Pixels down and right; negative ones go up and left.

    Returns
    -------
    ndarray of float32, same shape
        The shifted copy.
    """
    rows = np.clip(np.arange(images.shape[1]) - dy, 0, images.shape[1] - 1)
    columns = np.clip(np.arange(images.shape[2]) - dx, 0, images.shape[2] - 1)
    return np.asarray(images[:, rows][:, :, columns], dtype=np.float32)


@cache
def _blur_matrix(size: int, sigma: float) -> NDArray[np.float32]:
    places = np.arange(size)
    weights = np.exp(-0.5 * ((places[:, None] - places[None, :]) / sigma) ** 2)
    # Rows sum to 1, so the border is averaged over the pixels that exist.
    result: NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    result.flags.writeable = False
    return result


def gaussian_blur(images: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """Blur images by a Gaussian.

    Parameters
    ----------
    images : ndarray of float, shape (n, h, w) or (n, h, w, c)
        Images.
    sigma : float
        Standard deviation in pixels.

    Returns
    -------
    ndarray of float32, same shape
        Blurred copies.
    """
    values = np.asarray(images, np.float32)
    rows, columns = _blur_matrix(values.shape[1], sigma), _blur_matrix(values.shape[2], sigma)
    down = np.einsum("ab,nb...->na...", rows, values, optimize=True)
    across = np.einsum("ab,nib...->nia...", columns, down, optimize=True)
    return np.asarray(across, dtype=np.float32)
