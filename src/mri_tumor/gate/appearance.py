"""How a picture looks, in numbers that no model had a hand in.

A model that was trained on brain MRI alone forgets how to tell other pictures apart: its
features of a photograph may lie among those of scans. These numbers come from the pixels, so
they stay the same whatever the model has learnt. NumPy and Pillow are all they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mri_tumor.errors import ParameterError
from mri_tumor.images.preprocessing import Preprocessing, preprocess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Raised whenever `describe` gives other numbers for the same pixels; a gate records it.
VERSION = 1

# Side of the prepared picture: fine enough for noise and print, quick enough for a video rate.
_SIDE = 96
_SETTINGS = Preprocessing(size=_SIDE)
_THUMBNAIL = 12
_CELLS, _DIRECTIONS = 4, 8
_RINGS = 12
_LEVELS = 16
# Darker than this in a prepared picture is background, as `Preprocessing.edge` has it.
_BACKGROUND = 0.1 * 255


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Simple facts of a picture, each of which a rule of `checks` looks at.

    Parameters
    ----------
    contrast : float
        Grey levels between the 0.5th and the 99.5th percentile, 0 to 255.
    head : float
        Share of the picture that the largest bright region's box covers, in [0, 1].
    smoothness : float
        Correlation of neighbouring pixels in that box, in [-1, 1]; 0 for white noise.
    levels : float
        Entropy of the grey levels of the foreground in bits, 0 to 4 (16 bins); print, charts
        and flat figures have few levels.
    extremes : float
        Share of the box that is background or nearly white, in [0, 1].
    corners : float
        Second darkest corner of the whole picture between its dark (0) and its white (1)
        level; scans have dark corners.
    fill : float
        Share of the box that is foreground, in [0, 1].
    """

    contrast: float
    head: float
    smoothness: float
    levels: float
    extremes: float
    corners: float
    fill: float


MEASURES = tuple(Measures.__dataclass_fields__)
"""Names of the measures, in the order of `describe`'s first columns."""

WIDTH = len(MEASURES) + _THUMBNAIL**2 + _CELLS**2 * _DIRECTIONS + _RINGS + _LEVELS
"""How many numbers `describe` gives for a picture."""


def describe(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe a picture by its measures, its thumbnail, its edges and its spectrum.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w)
        Grey picture, as `mri_tumor.images.read_image` gives it.

    Returns
    -------
    ndarray of float32, shape (WIDTH,)
        The measures in the order of `MEASURES`; then, of the picture cropped to its largest
        bright region as for a model: grey levels on a coarse grid, shares of edge directions
        in 4 x 4 cells, the logarithm of the power at 12 spatial frequencies, and the
        histogram of the foreground.

    Raises
    ------
    ParameterError
        If `image` is not a two-dimensional uint8 array.
    """
    prepared, geometry = preprocess(image, _SETTINGS)
    values = prepared[:, :, 0].astype(np.float64)
    box = (geometry.bottom - geometry.top) * (geometry.right - geometry.left)
    histogram = _histogram(values)
    dark, white = _levels(image)
    facts = Measures(
        contrast=white - dark,
        head=box / image.size,
        smoothness=_smoothness(
            image[geometry.top : geometry.bottom, geometry.left : geometry.right]
        ),
        levels=_entropy(histogram),
        extremes=float(np.mean((values < _BACKGROUND) | (values > 0.9 * 255))),
        corners=_corners(image, dark, white),
        fill=float(np.mean(values > _BACKGROUND)),
    )
    thumbnail = np.asarray(
        Image.fromarray(prepared[:, :, 0]).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    )
    parts = (
        np.array([getattr(facts, name) for name in MEASURES]),
        thumbnail.ravel() / 255,
        _edges(values),
        _spectrum(values),
        histogram,
    )
    return np.concatenate(parts).astype(np.float32)


def describe_all(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Describe pictures one at a time, so that they need not fit into memory.

    Parameters
    ----------
    images : iterable of ndarray of uint8, each of shape (h, w)
        Grey pictures.

    Returns
    -------
    ndarray of float32, shape (n, WIDTH)
        `describe` of each.
    """
    rows = [describe(image) for image in images]
    return np.stack(rows) if rows else np.zeros((0, WIDTH), np.float32)


def measures_of(description: NDArray[np.float32]) -> Measures:
    """Return the measures in a description.

    Raises
    ------
    ParameterError
        If `description` is not a row of `describe`.
    """
    if description.shape != (WIDTH,):
        message = (
            f"measures_of: description must have the shape ({WIDTH},). "
            f"Received: {description.shape}"
        )
        raise ParameterError(message)
    return Measures(**dict(zip(MEASURES, map(float, description), strict=False)))


def _levels(image: NDArray[np.uint8]) -> tuple[float, float]:
    """Return the 0.5th and the 99.5th percentile of the grey levels."""
    step = max(1, min(image.shape) // 256)
    running = np.cumsum(np.bincount(image[::step, ::step].ravel(), minlength=256))
    dark, white = np.searchsorted(running, np.array([0.005, 0.995]) * running[-1])
    return float(dark), float(white)


def _corners(image: NDArray[np.uint8], dark: float, white: float) -> float:
    """Return how bright the second darkest corner is."""
    high, wide = (max(2, side // 12) for side in image.shape)
    corners = (
        image[:high, :wide],
        image[:high, -wide:],
        image[-high:, :wide],
        image[-high:, -wide:],
    )
    middles = sorted(float(np.median(corner)) for corner in corners)
    return (middles[1] - dark) / max(white - dark, 1.0)


def _smoothness(image: NDArray[np.uint8]) -> float:
    """Return the correlation of neighbours along both axes, at the picture's own pixels."""
    values = image[:1024, :1024].astype(np.float32)
    spread = float(values.var())
    if spread == 0:
        return 1.0
    down, across = values[1:] - values[:-1], values[:, 1:] - values[:, :-1]
    jumps = sum(float(np.vdot(change, change)) / change.size for change in (down, across)) / 2
    return 1 - jumps / (2 * spread)


def _histogram(values: Floats) -> Floats:
    """Return the shares of grey levels in the foreground."""
    bins = ((values - _BACKGROUND) * (_LEVELS / (255.01 - _BACKGROUND))).ravel()
    counts = np.bincount(bins[bins >= 0].astype(np.intp), minlength=_LEVELS)
    return counts / max(1, int(counts.sum()))


def _entropy(shares: Floats) -> float:
    present = shares[shares > 0]
    return float(-(present * np.log2(present)).sum())


def _edges(values: Floats) -> Floats:
    """Return histograms of edge directions, as in HOG: Dalal & Triggs, CVPR 2005."""
    down = values[2:, 1:-1] - values[:-2, 1:-1]
    across = values[1:-1, 2:] - values[1:-1, :-2]
    strength = np.hypot(down, across)
    turn = np.arctan2(down, across) % np.pi / np.pi * _DIRECTIONS
    direction = np.minimum(turn.astype(np.intp), _DIRECTIONS - 1)
    place = np.arange(strength.shape[0]) * _CELLS // strength.shape[0]
    cell = place[:, None] * _CELLS + place[None]
    counts = np.bincount(
        (cell * _DIRECTIONS + direction).ravel(),
        weights=strength.ravel(),
        minlength=_CELLS**2 * _DIRECTIONS,
    ).reshape(-1, _DIRECTIONS)
    # The strongest cell sets the scale, so that noise in an empty cell stays small.
    norms = np.sqrt((counts**2).sum(axis=1))
    return (counts / max(float(norms.max()), 1e-6)).ravel()


def _spectrum(values: Floats) -> Floats:
    """Return the logarithm of the power in rings of spatial frequency."""
    window, ring, counts = _rings()
    power = np.abs(np.fft.rfft2((values - values.mean()) * window)) ** 2
    sums = np.bincount(ring, weights=power.ravel(), minlength=_RINGS + 1)[:_RINGS]
    return np.log10(sums / counts + 1.0)


@cache
def _rings() -> tuple[Floats, NDArray[np.intp], Floats]:
    """Return the window, the ring of each frequency, and how many frequencies a ring has."""
    window = np.hanning(_SIDE)
    radius = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE)[None]) * _SIDE
    # Rings grow in width: structure of the head lies at low frequencies.
    ring = (
        np.searchsorted(np.geomspace(1, _SIDE / 2, _RINGS + 1), radius.ravel(), side="right") - 1
    )
    ring[(ring < 0) | (ring >= _RINGS)] = _RINGS
    counts = np.bincount(ring, minlength=_RINGS + 1)[:_RINGS]
    return window[:, None] * window, ring, np.maximum(counts, 1).astype(np.float64)
