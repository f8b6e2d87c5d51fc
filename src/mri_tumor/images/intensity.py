"""Turn intensities of any range into the 8 bits that the models see."""

import math
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from mri_tumor.errors import ParameterError
from mri_tumor.images.messages import refusal

Grey: TypeAlias = npt.NDArray[np.uint8]
Window: TypeAlias = Literal["auto", "percentile", "range"] | tuple[float, float]

TOP_PERCENTILE = 99.9
"""Values above it become white: single hot pixels must not darken the rest."""

_CHUNK = 2**20


def check_window(window: object) -> None:
    """Check the `window` option of the readers.

    Parameters
    ----------
    window : object
        What the caller gave.

    Raises
    ------
    ParameterError
        If it is neither a known word nor an increasing pair of finite numbers.
    """
    if isinstance(window, str):
        good = window in ("auto", "percentile", "range")
    else:
        try:
            low, high = (float(end) for end in window)  # type: ignore[attr-defined]
            good = math.isfinite(low) and math.isfinite(high) and low < high
        except (TypeError, ValueError):
            good = False
    if not good:
        msg = (
            f"window: {window!r} is no window. Pass 'auto', 'percentile', 'range', or a pair "
            "(low, high) of intensities."
        )
        raise ParameterError(msg)


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
    if isinstance(window, tuple):
        return float(window[0]), float(window[1])
    low = float(values.min())
    if window != "range":
        high = float(np.percentile(values, TOP_PERCENTILE))
        if high > low:
            return low, high
    return low, float(values.max())


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
