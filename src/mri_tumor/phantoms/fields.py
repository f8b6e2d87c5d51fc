"""Smooth random fields, and distances turned into coverage."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.float32]


def smooth_noise(
    rng: np.random.Generator, cells: int, size: int, *, band: bool = False, stretch: int = 1
) -> Field:
    """Return a random field that varies over ``1 / cells`` of the image's side.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the random numbers.
    cells : int
        Number of independent values along a side.
    size : int
        Side of the field in pixels.
    band : bool, default=False
        Take the slow changes out, so that ups and downs are of one width.
    stretch : int, default=1
        How many times longer the ups and downs are from top to bottom than across.

    Returns
    -------
    ndarray of float32, shape (size, size)
        Mean about 0, standard deviation about 0.6 (unitless).
    """
    # Twice as many values, then smoothed: a coarse grid would show through as little squares.
    grid = rng.standard_normal((2 * cells // stretch, 2 * cells), dtype=np.float32)
    grid = _average(grid, (1, 2, 1)) * np.float32(2)
    if band:
        grid -= _average(grid, (1, 1, 1, 1, 1))
    image = Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)


def _average(grid: Field, weights: tuple[int, ...]) -> Field:
    """Return the weighted mean of each value's surroundings, the grid taken as a torus."""
    reach = len(weights) // 2
    for axis in (0, 1):
        n = grid.shape[axis]
        around = np.arange(-reach, n + reach) % n
        wide = grid.take(around, axis=axis)
        parts = (wide[k : k + n] if axis == 0 else wide[:, k : k + n] for k in range(len(weights)))
        total = sum(np.float32(w) * part for w, part in zip(weights, parts, strict=True))
        grid = np.asarray(total, np.float32) * np.float32(1 / sum(weights))
    return grid


def resize(field: Field, size: int) -> Field:
    """Return a field brought to ``(size, size)`` pixels, smoothly."""
    image = Image.fromarray(field).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)


def edge(field: Field, width: float) -> Field:
    """Turn a signed distance into coverage in [0, 1], with an edge `width` wide."""
    out = field * np.float32(1 / width)
    out += np.float32(0.5)
    return np.clip(out, 0, 1, out=out)


def both(a: Field, b: Field, round_off: float) -> Field:
    """Return the distance to where two shapes overlap, with corners rounded off."""
    gap = a - b
    out = a + b
    out -= np.sqrt(gap * gap + np.float32(round_off * round_off))
    out *= np.float32(0.5)
    return out
