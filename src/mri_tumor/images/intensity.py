"""Turn intensities of any range into the 8 bits that the models see."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mri_tumor.images.limits import check_side
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import Window

Grey: TypeAlias = npt.NDArray[np.uint8]

TOP_PERCENTILE = 99.9
"""Values above it become white: single hot pixels must not darken the rest."""

_CHUNK = 2**20

# Enough to know the intensities of a scan, few enough to be quick.
_SAMPLED_SLICES, _SAMPLED_PIXELS = 16, 2**18


def intensity_window(
    values: npt.NDArray[Any], *, name: str, window: Window = "auto"
) -> tuple[float, float]:
    """Choose the intensities that become black and white.

    Parameters
    ----------
    values : ndarray of int or float, any shape
        Intensities in any unit.
    name : str
        The file's name, for messages.
    window : {"auto", "percentile", "range"} or (float, float), default="auto"
        "auto" and "percentile" run from the minimum to the 99.9th percentile, "range" from
        the minimum to the maximum; a pair is taken as it is.

    Returns
    -------
    tuple of float
        (low, high), with low == high if all values are equal.

    Raises
    ------
    ImageError
        If a value is NaN or infinite.
    """
    if np.issubdtype(values.dtype, np.inexact):
        bad = int(values.size - np.count_nonzero(np.isfinite(values)))
        if bad:
            raise refusal(
                name,
                f"holds {bad:,} values that are NaN or infinite",
                "Replace them, for example by numpy.nan_to_num, and save it again",
            )
    if not isinstance(window, str):
        return float(window[0]), float(window[1])
    low = float(values.min())
    if window != "range":
        high = float(np.percentile(values, TOP_PERCENTILE))
        if high > low:
            return low, high
    return low, float(values.max())


def spread(count: int) -> list[int]:
    """Return the indices of a few slices, evenly spread over all.

    Parameters
    ----------
    count : int
        Number of slices.

    Returns
    -------
    list of int
        At most 16, ascending.

    Examples
    --------
    >>> spread(3)
    [0, 1, 2]
    """
    return sorted({int(at) for at in np.linspace(0, count - 1, min(count, _SAMPLED_SLICES))})


def thinned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return some of many values, evenly spread.

    Parameters
    ----------
    values : ndarray, shape (n,)
        All of them.

    Returns
    -------
    ndarray, shape (m,)
        Fewer than 2**19 of them.
    """
    return values[:: max(1, values.size // _SAMPLED_PIXELS)]


def common_levels(
    samples: Iterable[npt.NDArray[Any]], *, name: str, window: Window
) -> tuple[float, float]:
    """Choose black and white for all slices of a scan from samples of some.

    Parameters
    ----------
    samples : iterable of ndarray
        Intensities of some slices.
    name : str
        The file's name, for messages.
    window : {"auto", "percentile", "range"} or (float, float)
        As in `intensity_window`.

    Returns
    -------
    tuple of float
        (low, high), as `intensity_window`.

    Raises
    ------
    ImageError
        If a value is NaN or infinite.
    """
    values = np.concatenate([np.ravel(sample) for sample in samples])
    return intensity_window(values, name=name, window=window)


def to_grey(values: npt.NDArray[Any], low: float, high: float) -> Grey:
    """Map intensities to 0..255, linearly between two of them.

    Parameters
    ----------
    values : ndarray of int or float, shape (h, w)
        Finite intensities in any unit.
    low, high : float
        What becomes 0 and 255. If `high` is not above `low`, all becomes 0.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Rounded to nearest, clipped at both ends.

    Examples
    --------
    >>> to_grey(np.array([[0, 50, 100, 4000]], dtype=np.uint16), 0, 100)
    array([[  0, 128, 255, 255]], dtype=uint8)
    """
    result = np.zeros(values.shape, dtype=np.uint8)
    if not high > low:
        return result
    # In pieces: float64 of a whole large image would take eight times its memory.
    rows = max(1, _CHUNK // max(1, values.shape[-1]))
    for start in range(0, values.shape[0], rows):
        piece = values[start : start + rows].astype(np.float64)
        # Halved first, so that the distance of two huge floats does not overflow.
        scaled = (piece / 2 - low / 2) / (high / 2 - low / 2)
        result[start : start + rows] = np.floor(np.clip(scaled, 0, 1) * 255 + 0.5)
    return result


def finished(grey: Grey, *, name: str) -> Grey:
    """Check a picture before it is handed out, and let its new owner write to it.

    Parameters
    ----------
    grey : ndarray of uint8, shape (h, w)
        What was read.
    name : str
        The file's name, for messages.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Contiguous and writable.

    Raises
    ------
    ImageError
        If a side is shorter than `limits.MIN_SIDE`.
    """
    check_side(grey.shape, name=name)
    # What Pillow gives is read-only, and so is a view of it.
    return np.require(grey, requirements=["C", "W"])
