"""Where slices lie in the body, and pixels that are as high as they are wide."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from mri_tumor.images.intensity import Grey
from mri_tumor.images.limits import check_pixels
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import PLANES, Plane

# Thicker slices than 20 times the pixel occur in no protocol: such spacing is a mistake or a
# trap, since the image grows with it.
_LARGEST_RATIO = 20.0
# Less than one per cent changes no shape that anyone could see.
_SQUARE_ENOUGH = 1.01


def with_square_pixels(
    grey: Grey, spacing: tuple[float, float] | None, *, name: str, max_pixels: int
) -> Grey:
    """Resample a slice so that its pixels are square, and the head keeps its shape.

    The axis with the larger spacing is stretched, bilinearly, to the smaller spacing, so no
    detail is lost. Spacings within 1% of each other are left alone.

    Parameters
    ----------
    grey : ndarray of uint8, shape (h, w)
        The slice.
    spacing : tuple of float or None
        Distance of rows and of columns, in any one unit; None leaves the slice as it is.
    name : str
        The file's name, for messages.
    max_pixels : int
        Most pixels of the result.

    Returns
    -------
    ndarray of uint8, shape (h', w')
        The slice with square pixels.

    Raises
    ------
    ImageError
        If one spacing is more than 20 times the other, or the result is too large.
    """
    if spacing is None:
        return grey
    rows, columns = spacing
    ratio = max(rows, columns) / min(rows, columns)
    if ratio < _SQUARE_ENOUGH:
        return grey
    if ratio > _LARGEST_RATIO:
        raise refusal(
            name,
            f"says that its pixels are {rows:g} x {columns:g} mm, which cannot be right",
            "Correct its spacing, or pass square_pixels=False",
        )
    height, width = grey.shape
    size = (width, round(height * ratio)) if rows > columns else (round(width * ratio), height)
    check_pixels(size, name=name, max_pixels=max_pixels)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))


def spacing_of(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the distance of rows and of columns if both are usable, else None.

    Parameters
    ----------
    values : sequence of float
        Both distances; anything else gives None.

    Returns
    -------
    tuple of float or None
        Positive and finite.
    """
    if len(values) != 2 or not all(math.isfinite(value) and value > 0 for value in values):
        return None
    return float(values[0]), float(values[1])


def slice_normal(orientation: Sequence[float]) -> npt.NDArray[np.float64] | None:
    """Return the direction in which slices are stacked.

    Parameters
    ----------
    orientation : sequence of float
        DICOM's ImageOrientationPatient: direction of rows, then of columns, each a unit
        vector in patient coordinates (left, posterior, superior).

    Returns
    -------
    ndarray of float64, shape (3,), or None
        Unit vector in the same coordinates that points mostly from left to right, from
        posterior to anterior or from inferior to superior; None if `orientation` is no pair
        of perpendicular unit vectors.
    """
    if len(orientation) != 6 or not all(math.isfinite(value) for value in orientation):
        return None
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    # Written with few digits, they are rarely exact.
    if abs(row @ row - 1) > 0.05 or abs(column @ column - 1) > 0.05 or abs(row @ column) > 0.05:
        return None
    normal = np.cross(row, column)
    axis = int(np.abs(normal).argmax())
    # DICOM's first axis points to the left, its second one backwards.
    forward = normal[axis] if axis == 2 else -normal[axis]
    return np.asarray(normal if forward > 0 else -normal, dtype=np.float64)


def plane_of(normal: npt.NDArray[np.float64]) -> Plane:
    """Return the anatomical plane that is nearest to slices with this normal.

    Parameters
    ----------
    normal : ndarray of float64, shape (3,)
        In patient coordinates.

    Returns
    -------
    {"sagittal", "coronal", "axial"}
        The plane.
    """
    return PLANES[int(np.abs(normal).argmax())]
