"""Smooth curves through a few points."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = Sequence[tuple[float, float]]


def _spline(steps: int) -> NDArray[np.float64]:
    """Return the weights of four points in each of `steps` points of a Catmull-Rom piece."""
    t = np.arange(steps) / steps
    columns = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
    return np.column_stack(columns) / 2


_COARSE, _FINE = _spline(5), _spline(8)


def closed_curve(points: ArrayLike, *, fine: bool = False) -> NDArray[np.float64]:
    """Return a closed Catmull-Rom spline through `points`."""
    p = np.asarray(points, float)
    around = np.arange(-1, len(p) + 2) % len(p)
    pieces = around[np.arange(len(p))[:, None] + np.arange(4)]
    weights = _FINE if fine else _COARSE
    return np.asarray((weights @ p[pieces]).reshape(-1, 2))


def open_curve(points: ArrayLike) -> NDArray[np.float64]:
    """Return a Catmull-Rom spline from the first to the last of `points`."""
    p = np.asarray(points, float)
    if len(p) < 3:
        return p
    # Doubled ends: the curve starts and stops there.
    pieces = np.clip(np.arange(len(p) - 1)[:, None] + np.arange(-1, 3), 0, len(p) - 1)
    return np.vstack([(_COARSE @ p[pieces]).reshape(-1, 2), p[-1:]])


def mirrored(points: Points) -> list[tuple[float, float]]:
    """Close a right half, given from top to bottom, with its mirror image."""
    left = [(-x, y) for x, y in reversed(points) if abs(x) > 1e-9]
    return [*points, *left]
