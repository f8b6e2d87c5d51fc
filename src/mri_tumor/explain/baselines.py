"""Maps that no model was asked for, to set beside those of a model. NumPy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.maps import drop_rounding, gaussian_blur, normalise

if TYPE_CHECKING:
    from numpy.typing import NDArray

BASELINES = ("centre", "brightest_blob")
# Rec. 601 luma, as the library's own reading of colour images.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def baseline_maps(name: str, images: NDArray[np.generic]) -> NDArray[np.float32]:
    """Make a map without a model.

    Parameters
    ----------
    name : {"centre", "brightest_blob"}
        A Gaussian in the image's middle, of a sixth of its sides, or the image's brightness blurred
        by a twentieth of its shorter side, so that its peak is the brightest blob.
    images : ndarray, shape (n, h, w) or (n, h, w, c)
        Images of any range.

    Returns
    -------
    ndarray of float32, shape (n, h, w)
        Values in [0, 1].

    Raises
    ------
    ParameterError
        If there is no such baseline.
    """
    count, height, width = images.shape[:3]
    if name == "centre":
        down = np.exp(-0.5 * (((np.arange(height) + 0.5) / height - 0.5) * 6) ** 2)
        across = np.exp(-0.5 * (((np.arange(width) + 0.5) / width - 0.5) * 6) ** 2)
        return normalise(np.broadcast_to(np.outer(down, across), (count, height, width)))
    if name == "brightest_blob":
        grey = images.astype(np.float32)
        if grey.ndim == 4:
            grey = grey @ _LUMA if grey.shape[3] == 3 else grey.mean(axis=3)
        grey = gaussian_blur(grey, max(min(height, width) / 20, 0.5))
        above = grey - grey.min(axis=(1, 2), keepdims=True)
        return normalise(drop_rounding(above, np.abs(grey).max(axis=(1, 2), initial=0.0)))
    raise ParameterError(f"baseline: unknown {name!r}; use one of {', '.join(BASELINES)}")
