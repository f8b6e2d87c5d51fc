"""One affine map, one interpolation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def affine(
    values: NDArray[np.uint8],
    *,
    angle: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shear: float = 0.0,
    shift: tuple[float, ...] = (0.0, 0.0),
) -> NDArray[np.uint8]:
    """Rotate, scale, shear and shift an image about its centre, on black.

    Parameters
    ----------
    values : ndarray of uint8, shape (h, w)
        The image.
    angle : float, default=0
        Counter-clockwise rotation in radians.
    scale : (float, float), default=(1, 1)
        Magnification along x and y; negative mirrors.
    shear : float, default=0
        Shear along x per unit of y.
    shift : (float, float), default=(0, 0)
        Shift along x and y as fractions of the width and the height.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Bilinearly resampled.
    """
    height, width = values.shape
    cos, sin = math.cos(angle), math.sin(angle)
    forward = np.array([[cos, sin], [-sin, cos]]) @ np.array([[1, shear], [0, 1]]) @ np.diag(scale)
    # Pillow wants the map from the output back to the input, about the pixel corner.
    back = np.linalg.inv(forward)
    centre = np.array([width / 2, height / 2])
    moved = centre + np.array([shift[0] * width, shift[1] * height])
    offset = centre - back @ moved
    picture = Image.fromarray(values).transform(
        (width, height),
        Image.Transform.AFFINE,
        (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1]),
        resample=Image.Resampling.BILINEAR,
    )
    return np.asarray(picture)
