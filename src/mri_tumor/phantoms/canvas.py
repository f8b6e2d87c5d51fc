"""A grid in head coordinates with brushes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from mri_tumor.phantoms.curves import Points, closed_curve, open_curve
from mri_tumor.phantoms.fields import Field, smooth_noise

Window = tuple[slice, slice]

_OVERSAMPLING = 2  # stencils are drawn this much larger, then averaged: smooth edges
_CIRCLE = np.array([np.cos(np.arange(10) * np.pi / 5), np.sin(np.arange(10) * np.pi / 5)])
_ANGLES = 720  # entries of the tables over the angle, half a degree each


@dataclass(frozen=True)
class Pose:
    """Where the head lies in the image: turn (radians), scales, shift and bending."""

    turn: float
    scale: tuple[float, float]
    shift: tuple[float, float]
    waves: NDArray[np.float64]  # rows of kx, ky, phase, ax, ay

    def bend(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Return how far each pixel is moved, so that no head is quite symmetric."""
        dx, dy = np.zeros_like(x), np.zeros_like(y)
        for kx, ky, phase, ax, ay in self.waves.astype(np.float32):
            wave = kx * x
            wave += ky * y
            wave += phase
            np.sin(wave, out=wave)
            dx += ax * wave
            dy += ay * wave
        return dx, dy

    def unbend(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take `bend` back for points, shape (n, 2), in two steps: close enough here."""
        k, phase, a = self.waves[:, :2].T, self.waves[:, 2], self.waves[:, 3:]
        once = points - np.sin(points @ k + phase) @ a
        return np.asarray(points - np.sin(once @ k + phase) @ a)


class Canvas:
    """A picture of one slice while it is being drawn.

    Head coordinates: x to the right and y down, the head about 2 units high around (0, 0).

    Parameters
    ----------
    size : int
        Side of the picture in pixels.
    pose : Pose
        Where the head lies.
    tissues : dict of str to float
        Signal of each tissue.
    rng : numpy.random.Generator
        Source of the anatomy's chance.

    Attributes
    ----------
    x, y : ndarray of float32, shape (size, size)
        Head coordinates of each pixel.
    half_x, half_y : ndarray of float32, shape (ceil(size / 2), ceil(size / 2))
        The same midway between every other two pixels, for `enlarge`.
    image : ndarray of float32, shape (size, size)
        Signal so far.
    brain : ndarray of float32, shape (size, size)
        Part of each pixel that is inside of the brain's coverings, in [0, 1].
    depth : ndarray of float32, shape (size, size)
        Distance to the inner border of the skull, in head units, positive inside of the
        cerebrum; where tumors are placed.
    clip : ndarray of float32, shape (size, size) or None
        Where brushes leave paint, in [0, 1]; None is everywhere.
    falx : ndarray of float32, shape (size, size) or None
        Distance to the fold of dura between the halves; None where the slice shows none.
    sella : tuple of float or None
        Head coordinates of the pituitary gland; None where the slice misses it.
    """

    def __init__(
        self, size: int, pose: Pose, tissues: dict[str, float], rng: np.random.Generator
    ) -> None:
        self.size, self.pose, self.tissues, self.rng = size, pose, tissues, rng
        cos, sin = np.cos(pose.turn), np.sin(pose.turn)
        half = size / 2
        self._to_pixels = half * np.array([[cos, -sin], [sin, cos]]) @ np.diag(pose.scale)
        self._center = half - 0.5 + half * np.array(pose.shift)
        self.x, self.y = self._grid(np.arange(size, dtype=np.float32))
        # Every other pixel, midway between two: smooth fields are worked out here and enlarged.
        self.half_x, self.half_y = self._grid(np.arange(0.5, size, 2, dtype=np.float32))
        self.pixel = float(1 / (half * np.sqrt(abs(pose.scale[0] * pose.scale[1]))))
        self.image: Field = np.zeros((size, size), np.float32)
        self.brain: Field = np.zeros((size, size), np.float32)
        self.depth: Field = np.full((size, size), -1, np.float32)
        self.clip: Field | None = None
        self.falx: Field | None = None
        self.sella: tuple[float, float] | None = None

    def _grid(self, at: Field) -> tuple[Field, Field]:
        """Return head coordinates of the pixels in columns `at` and rows `at`."""
        inverse = np.linalg.inv(self._to_pixels).astype(np.float32)
        columns = (at - np.float32(self._center[0]))[None, :]
        rows = (at - np.float32(self._center[1]))[:, None]
        x = inverse[0, 0] * columns + inverse[0, 1] * rows
        y = inverse[1, 0] * columns + inverse[1, 1] * rows
        dx, dy = self.pose.bend(x, y)
        return x + dx, y + dy

    def enlarge(self, field: Field) -> Field:
        """Bring a field on every other pixel (`half_x`, `half_y`) to all pixels, smoothly."""
        box = (0, 0, self.size / 2, self.size / 2)  # ends within the last one if size is odd
        shape = (self.size, self.size)
        image = Image.fromarray(field).resize(shape, Image.Resampling.BICUBIC, box)
        return np.asarray(image, np.float32)

    def window(self, inside: NDArray[np.bool_]) -> Window:
        """Return the smallest window that holds all true pixels (empty if there are none)."""
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        if rows.size == 0:
            return np.s_[0:0, 0:0]
        return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    def place(self, points: ArrayLike) -> NDArray[np.float64]:
        """Turn head coordinates, shape (n, 2), into pixel coordinates (column, row)."""
        q = np.asarray(points, float).reshape(-1, 2)
        return np.asarray(self.pose.unbend(q) @ self._to_pixels.T + self._center)

    def direct(self, dx: Field, dy: Field) -> tuple[Field, Field]:
        """Turn a small step in head coordinates into one in pixels (column, row)."""
        m = self._to_pixels.astype(np.float32)
        return m[0, 0] * dx + m[0, 1] * dy, m[1, 0] * dx + m[1, 1] * dy

    def noise(
        self, cells: int, *, band: bool = False, stretch: int = 1, half: bool = False
    ) -> Field:
        """Return a smooth random field over the picture, or over every other pixel of it."""
        size = len(self.half_x) if half else self.size
        return smooth_noise(self.rng, cells, size, band=band, stretch=stretch)

    def jitter(self, points: Points, amount: float = 0.012) -> NDArray[np.float64]:
        """Move each point by chance, by about `amount` head units."""
        p = np.asarray(points, float)
        return p + amount * self.rng.standard_normal(p.shape)

    def pair(self, points: Points, amount: float = 0.012) -> list[NDArray[np.float64]]:
        """Return points of the right side and their mirror image, each moved by chance."""
        return [self.jitter(points, amount), self.jitter(points, amount) * (-1, 1)]

    def contour(self, points: ArrayLike, center: tuple[float, float]) -> Field:
        """Return the signed distance to a star-shaped closed curve, positive inside.

        The distance along the ray from `center`, corrected for the slope of the curve, stands
        in for the true one: right near the curve, which is where it is looked at.
        """
        curve = closed_curve(points, fine=True) - center
        angle = np.arctan2(curve[:, 1], curve[:, 0])
        radius = np.hypot(curve[:, 0], curve[:, 1])
        order = np.argsort(angle)
        grid = (np.arange(_ANGLES + 1) / _ANGLES * 2 - 1) * np.pi
        table = np.interp(grid, angle[order], radius[order], period=2 * np.pi)
        slope = np.gradient(table, grid)
        cosine = (table / np.hypot(table, slope)).astype(np.float32)
        x, y = self.half_x - np.float32(center[0]), self.half_y - np.float32(center[1])
        theta = np.arctan2(y, x)
        theta += np.float32(np.pi)
        theta *= np.float32(_ANGLES / (2 * np.pi))
        index = theta.astype(np.intp)
        out = np.take(table.astype(np.float32), index)
        out -= np.sqrt(x * x + y * y)
        out *= np.take(cosine, index)
        return self.enlarge(out)

    def _stencil(
        self, figures: Sequence[NDArray[np.float64]], widths: Sequence[float] | None
    ) -> tuple[Window, Field] | None:
        """Return the window that figures in head coordinates touch and their cover there.

        One stencil for many figures: what a stencil costs is hardly its pixels.
        """
        pixels = self.place(np.concatenate(figures))
        pad = 1 if widths is None else 1 + max(widths) / 2
        left, top = (max(math.floor(v - pad), 0) for v in pixels.min(axis=0))
        right, bottom = (min(math.ceil(v + pad) + 1, self.size) for v in pixels.max(axis=0))
        if right <= left or bottom <= top:
            return None
        k = _OVERSAMPLING
        image = Image.new("L", ((right - left) * k, (bottom - top) * k))
        draw = ImageDraw.Draw(image)
        corners = ((pixels - (left - 0.5, top - 0.5)) * k - 0.5).ravel().tolist()
        start = 0
        for number, figure in enumerate(figures):
            end = start + figure.size
            if widths is None:
                draw.polygon(corners[start:end], fill=255)
            else:
                thick = max(1, round(widths[number] * k))
                joint = "curve" if thick > 6 else None  # thin lines need none
                draw.line(corners[start:end], fill=255, width=thick, joint=joint)
            start = end
        alpha = np.asarray(image.reduce(k), np.float32) * np.float32(1 / 255)
        return (slice(top, bottom), slice(left, right)), alpha

    def cover(self, points: ArrayLike) -> Field:
        """Return how much of each pixel lies inside of a closed curve, in [0, 1]."""
        out = np.zeros((self.size, self.size), np.float32)
        stencil = self._stencil([closed_curve(points)], None)
        if stencil is not None:
            out[stencil[0]] = stencil[1]
        return out

    def shape(self, tissue: str, *outlines: ArrayLike, strength: float = 1.0) -> None:
        """Fill the closed curves through lists of points with a tissue."""
        stencil = self._stencil([closed_curve(points) for points in outlines], None)
        if stencil is not None:
            self.blend(self.tissues[tissue], np.float32(strength) * stencil[1], stencil[0])

    def stroke(
        self,
        tissue: str,
        width: float | Sequence[float],
        *paths: ArrayLike,
        strength: float = 1.0,
    ) -> None:
        """Draw curves through lists of points, `width` head units wide (one or one each)."""
        widths = [width] * len(paths) if isinstance(width, float | int) else width
        thick = [max(w / self.pixel, 0.7) for w in widths]
        stencil = self._stencil([open_curve(points) for points in paths], thick)
        if stencil is not None:
            self.blend(self.tissues[tissue], np.float32(strength) * stencil[1], stencil[0])

    def oval(
        self, center: tuple[float, float], radii: tuple[float, float], *, turn: float = 0.0
    ) -> NDArray[np.float64]:
        """Return points of an ellipse, turned by `turn` radians, a little uneven by chance."""
        u, v = _CIRCLE * self.rng.uniform(0.94, 1.06, _CIRCLE.shape) * np.array([radii]).T
        cos, sin = math.cos(turn), math.sin(turn)
        return np.stack([center[0] + u * cos - v * sin, center[1] + u * sin + v * cos], 1)

    def blend(self, value: float | Field, alpha: Field, window: Window = np.s_[:, :]) -> None:
        """Cover part of the picture with a signal, as much as `alpha` in [0, 1] says."""
        part = self.image[window]
        if self.clip is not None:
            alpha = alpha * self.clip[window]
        part += alpha * (value - part)
