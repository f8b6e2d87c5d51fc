"""Augmentation that imitates other scanners, other protocols and other preparation.

What differs between hospitals and says nothing about a tumor is varied widely: skull or none,
contrast, shading of the coil, size of the head on its black canvas, resolution, noise,
compression. After Billot et al., "SynthSeg: Segmentation of brain MRI scans of any contrast and
resolution without retraining", Medical Image Analysis 86, 2023 (arXiv:2107.09559), who show
that such variation carries a network over to scanners that it never saw.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mri_tumor.images.preprocessing import preprocess
from mri_tumor.training.affine import affine
from mri_tumor.training.skull import strip_skull

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.images.preprocessing import Preprocessing


@dataclass(frozen=True, kw_only=True)
class Robust:
    """A policy that varies what differs between hospitals.

    Parameters
    ----------
    skull : float, default=0.33
        Share of the variants whose skull is removed, where it can be found.
    gamma : (float, float), default=(0.6, 1.6)
        Exponent of the intensities, drawn evenly in its logarithm.
    curve : float, default=0.15
        Share of the variants whose intensities go through a random, not always rising curve.
    bias : float, default=0.35
        Largest relative shading across the picture.
    scale : (float, float), default=(0.75, 1.12)
        Size of the head on its canvas.
    rotation : float, default=20.0
        Largest rotation in degrees.
    turn : float, default=0.05
        Share of the variants that are turned by a quarter or upside down.
    shear : float, default=0.08
        Largest shear, tangent of the angle.
    aspect : float, default=0.08
        Largest relative change of the aspect ratio.
    shift : float, default=0.05
        Largest shift as a fraction of the side.
    resolution : (float, float), default=(0.3, 1.0)
        Resolution that is left, in a third of the variants.
    noise : float, default=0.06
        Largest standard deviation of Rician noise, as a fraction of white, in 40% of the
        variants.
    """

    skull: float = 0.33
    gamma: tuple[float, float] = (0.6, 1.6)
    curve: float = 0.15
    bias: float = 0.35
    scale: tuple[float, float] = (0.75, 1.12)
    rotation: float = 20.0
    turn: float = 0.05
    shear: float = 0.08
    aspect: float = 0.08
    shift: float = 0.05
    resolution: tuple[float, float] = (0.3, 1.0)
    noise: float = 0.06

    def __call__(
        self, image: NDArray[np.uint8], settings: Preprocessing, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return a changed model input, uint8 of shape (size, size, 3)."""
        return self.with_cover(image, None, settings, rng)[0]

    def with_cover(
        self,
        image: NDArray[np.uint8],
        box: tuple[float, float, float, float] | None,
        settings: Preprocessing,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Return a changed model input, and where in it the tumor is.

        Parameters
        ----------
        image : ndarray of uint8, shape (h, w)
            The image.
        box : (float, float, float, float), optional
            Centre x and y, width and height of the tumor as fractions of the image.
        settings : Preprocessing
            How a model input is made.
        rng : numpy.random.Generator
            Source of chance; the box draws nothing from it.

        Returns
        -------
        values : ndarray of uint8, shape (size, size, 3)
            The changed model input.
        cover : ndarray of float32, shape (size, size), or None
            Part of each pixel inside the box's ellipse, in [0, 1]; None without a box.
        """
        if rng.random() < self.skull:
            stripped = strip_skull(image, rng)
            image = image if stripped is None else stripped
        prepared, geometry = preprocess(image, settings)
        values = self._intensities(prepared[:, :, 0], rng)
        place = self._place(rng)
        values = self._acquire(affine(values, **place), rng)
        cover = None
        if box is not None:
            ellipse = ellipse_cover(geometry.box_to_input(*box), geometry.size)
            moved = affine((ellipse * 255).astype(np.uint8), **place)
            cover = (moved / 255).astype(np.float32)
        return np.repeat(values[:, :, None], 3, axis=2), cover

    def _intensities(
        self, values: NDArray[np.uint8], rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        low, high = map(math.log, self.gamma)
        levels = np.linspace(0, 1, 256) ** math.exp(rng.uniform(low, high))
        if rng.random() < self.curve:
            knots = np.concatenate([[0.0], np.linspace(0.1, 1, 5) + rng.normal(0, 0.2, 5)])
            levels = np.interp(levels, np.concatenate([[0.0], np.linspace(0.1, 1, 5)]), knots)
        shaded = levels[values] * shading(values.shape[0], self.bias, rng)
        # A slice of another scan need not reach white, and may be clipped above it.
        shaded *= rng.uniform(0.8, 1.1) / max(float(np.quantile(shaded, 0.995)), 0.05)
        return np.asarray(np.clip(shaded, 0, 1) * 255, dtype=np.uint8)

    def _place(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the options of `affine`."""
        angle = math.radians(rng.uniform(-self.rotation, self.rotation))
        if rng.random() < self.turn:
            angle += math.pi / 2 * rng.integers(1, 4)
        size = rng.uniform(*self.scale)
        stretch = math.exp(rng.uniform(-self.aspect, self.aspect) / 2)
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        return {
            "angle": angle,
            "scale": (size * stretch * mirror, size / stretch),
            "shear": rng.uniform(-self.shear, self.shear),
            "shift": tuple(rng.uniform(-self.shift, self.shift, 2)),
        }

    def _acquire(self, values: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        side = values.shape[0]
        if rng.random() < 0.33:
            small = max(24, round(side * rng.uniform(*self.resolution)))
            values = _resize(_resize(values, small), side)
        if rng.random() < 0.4:
            level = 255 * rng.uniform(0.0, self.noise)
            real, imaginary = rng.normal(0, level, (2, side, side))
            noisy = np.hypot(values + real, imaginary)
            # Most archives blacken the air; some keep its noise.
            noisy = noisy if rng.random() < 0.3 else np.where(values > 8, noisy, values)
            values = np.clip(noisy, 0, 255).astype(np.uint8)
        if rng.random() < 0.3:
            buffer = io.BytesIO()
            Image.fromarray(values).save(buffer, "JPEG", quality=int(rng.integers(30, 95)))
            values = np.asarray(Image.open(buffer))
        return values


def ellipse_cover(box: tuple[float, float, float, float], side: int) -> NDArray[np.float32]:
    """Return which part of each pixel lies in the ellipse inside a box.

    Parameters
    ----------
    box : (float, float, float, float)
        Centre x and y, width and height as fractions of the side; may reach outside.
    side : int
        Side of the picture in pixels.

    Returns
    -------
    ndarray of float32, shape (side, side)
        Cover in [0, 1], with a border one pixel wide.
    """
    x, y, width, height = (value * side for value in box)
    pixels = np.arange(side) + 0.5
    semi = max(width / 2, 0.5), max(height / 2, 0.5)
    radius = np.hypot((pixels[None, :] - x) / semi[0], (pixels[:, None] - y) / semi[1])
    cover: NDArray[np.float32] = np.clip((1 - radius) * min(semi) + 0.5, 0, 1).astype(np.float32)
    return cover


def shading(side: int, strength: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a smooth field about 1, as a receive coil shades a picture.

    Parameters
    ----------
    side : int
        Side of the picture in pixels.
    strength : float
        Largest amplitude of the logarithm of the field.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of float64, shape (side, side)
        Positive factors.
    """
    across = np.linspace(-1, 1, side)
    x, y = across[None, :], across[:, None]
    terms = (x, y, x * y, x**2 - 1 / 3, y**2 - 1 / 3)
    field = sum(a * t for a, t in zip(rng.normal(0, 1, len(terms)), terms, strict=True))
    top = float(np.abs(field).max())
    return np.asarray(np.exp(field / top * rng.uniform(0, strength)))


def _resize(values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(values).resize((side, side), Image.Resampling.BILINEAR))
