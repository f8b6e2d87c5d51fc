"""Deletion and insertion: whether the score follows the pixels that a map calls important."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ImageError
from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.maps import gaussian_blur

if TYPE_CHECKING:
    from numpy.typing import NDArray

Score = Callable[["NDArray[np.float32]"], Any]


@dataclass(frozen=True, eq=False)
class Curve:
    """A target's probability while pixels are taken away or put back.

    Parameters
    ----------
    fractions : ndarray of float, shape (steps + 1,)
        Share of the pixels changed, from 0 to 1.
    probabilities : ndarray of float, shape (steps + 1,)
        The target's probability at each.
    """

    fractions: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """Area under the curve in [0, 1]: low is good for deletion, high for insertion."""
        middles = (self.probabilities[1:] + self.probabilities[:-1]) / 2
        return float((middles * np.diff(self.fractions)).sum())


def deletion_curve(
    score: Score,
    image: NDArray[Any],
    values: NDArray[np.floating],
    *,
    steps: int = 28,
    baseline: float = 0.0,
    batch_size: int = 32,
) -> Curve:
    """Blacken the most important pixels first.

    Parameters
    ----------
    score : callable
        Takes images (m, h, w, c) of float32, gives the target's probability (m,) in [0, 1].
    image : ndarray, shape (h, w, c)
        One model input.
    values : ndarray of float, shape (h, w)
        Its map. Pixels of equal value are taken in an order drawn once and for all.
    steps : int, default=28
        Points of the curve besides its start.
    baseline : float, default=0.0
        Pixel value that stands for nothing, in the model's input range: 0 for black.
    batch_size : int, default=32
        Images per call of `score`.

    Returns
    -------
    Curve
        A faithful map's falls early, so its area is small.

    Raises
    ------
    ImageError
        If image and map differ in size.
    ParameterError
        If an option is outside of what is allowed.

    References
    ----------
    .. [1] Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models",
       BMVC 2018. arXiv:1806.07421
    """
    full = np.asarray(image, np.float32)
    empty = np.full_like(full, real("baseline", baseline, low=-np.inf))
    return _curve(score, full, empty, values, steps=steps, batch_size=batch_size)


def insertion_curve(
    score: Score,
    image: NDArray[Any],
    values: NDArray[np.floating],
    *,
    steps: int = 28,
    sigma: float | None = None,
    batch_size: int = 32,
) -> Curve:
    """Sharpen the most important pixels of a blurred copy first.

    Parameters
    ----------
    score, image, values, steps, batch_size
        As in :func:`deletion_curve`.
    sigma : float, optional
        Standard deviation of the blur in pixels; by default a twentieth of the shorter side (the
        authors take 5 to 10 pixels of 224, and blur rather than blacken, so that no edges arise).

    Returns
    -------
    Curve
        A faithful map's rises early, so its area is large.

    Raises
    ------
    ImageError
        If image and map differ in size.
    ParameterError
        If an option is outside of what is allowed.

    References
    ----------
    .. [1] Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models",
       BMVC 2018. arXiv:1806.07421
    """
    full = np.asarray(image, np.float32)
    width = min(full.shape[:2]) / 20 if sigma is None else real("sigma", sigma, low=0.1)
    start = gaussian_blur(full[None], max(width, 0.1))[0]
    return _curve(score, start, full, values, steps=steps, batch_size=batch_size)


def _curve(
    score: Score,
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    values: NDArray[np.floating],
    *,
    steps: int,
    batch_size: int,
) -> Curve:
    """Replace the pixels of one image by those of another, the map's highest first."""
    if start.ndim != 3 or start.shape[:2] != values.shape:
        raise ImageError(
            f"image: expected (h, w, c) with the map's size {values.shape}, got {start.shape}"
        )
    steps = whole("steps", steps, low=1)
    batch_size = whole("batch_size", batch_size, low=1)
    flat = np.asarray(values).ravel()
    # Ties (most of a map is often zero) in random order: from top to bottom would favour a side.
    mixed = np.random.default_rng(0).permutation(len(flat))
    order = mixed[np.argsort(-flat[mixed], kind="stable")]
    ranks = np.empty(len(flat), int)
    ranks[order] = np.arange(len(flat))
    counts = np.round(np.linspace(0, len(flat), steps + 1)).astype(int)
    found = []
    for first in range(0, len(counts), batch_size):
        part = counts[first : first + batch_size, None, None]
        changed = (ranks.reshape(values.shape) < part)[..., None]
        found.append(np.asarray(score(np.where(changed, end, start).astype(np.float32))))
    return Curve(counts / len(flat), np.concatenate(found).astype(np.float64))
