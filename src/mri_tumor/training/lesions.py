"""Put a tumor into a healthy slice, so that source and sequence no longer tell the label.

Where all tumors come from one archive and all healthy slices from another, a network can learn
the archive. The same healthy slice with and without a lesion differs by the lesion alone. The
lesion is either drawn, as in Hu et al., "Label-free liver tumor segmentation", CVPR 2023
(arXiv:2303.14869), or cut out of another patient's slice along its box and blended in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mri_tumor.training.affine import affine
from mri_tumor.training.skull import strip_skull

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Brightness of a drawn lesion's edema, rim and core, as multiples of the brain's own: what a
# ring that takes up contrast, a solid one, a swelling on FLAIR, and a cyst look like.
_LOOKS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "ring": ((0.65, 0.95), (1.4, 2.2), (0.25, 0.8)),
    "solid": ((0.7, 1.0), (1.4, 2.1), (1.3, 2.1)),
    "bright": ((1.25, 1.6), (1.4, 1.9), (1.4, 2.0)),
    "swollen": ((1.3, 1.7), (1.3, 1.7), (0.5, 1.0)),
    "dark": ((0.6, 0.8), (0.45, 0.7), (0.2, 0.5)),
}
_LOOK_SHARES = (0.4, 0.25, 0.15, 0.12, 0.08)
# Smallest part of the picture, and smallest mean change as a part of the brain's brightness,
# that is called a tumor: a lesion that cannot be seen would be a wrong label.
_SMALLEST, _WEAKEST = 0.003, 0.2


@dataclass(frozen=True, eq=False)
class Donor:
    """A slice and the place of its tumor.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size)
        Prepared slice.
    box : (float, float, float, float)
        Centre x and y, width and height of the tumor as fractions of the side.
    """

    image: NDArray[np.uint8]
    box: tuple[float, float, float, float]


def brain_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where the brain is in a prepared slice, roughly.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size)
        Prepared slice.

    Returns
    -------
    ndarray of bool, shape (size, size)
        True in the brain; a central ellipse where it cannot be told from the rest of the head.
    """
    stripped = strip_skull(image)
    if stripped is not None:
        return stripped > 0
    side = image.shape[0]
    across = np.linspace(-1, 1, side)
    ellipse: NDArray[np.bool_] = across[None, :] ** 2 + across[:, None] ** 2 < 0.6**2
    return ellipse & (image > 20)


def draw_lesion(
    image: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
    """Draw a lesion into the brain of a slice.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size)
        Prepared slice.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    changed : ndarray of uint8, shape (size, size)
        The slice with a lesion.
    cover : ndarray of float64, shape (size, size)
        Part of each pixel that the lesion without its edema covers, in [0, 1].
        None in place of both where there is no room, or the change could not be seen.
    """
    side = image.shape[0]
    radius = side * rng.uniform(0.045, 0.17)
    site = _site(image, brain_mask(image), 0.5 * radius, rng)
    if site is None:
        return None
    x, y, tissue = site
    look = list(_LOOKS)[rng.choice(len(_LOOKS), p=_LOOK_SHARES)]
    edema, rim, core = (rng.uniform(*ends) * tissue for ends in _LOOKS[look])
    values = _push(image.astype(np.float64), x, y, radius * rng.uniform(0.0, 0.5), radius)
    distance = _irregular_distance(side, x, y, rng) / radius
    grain = 1 + 0.22 * smooth_noise(side, int(rng.integers(12, 48)), rng)
    swelling = rng.uniform(1.1, 2.0)
    inside = image > 8
    for level, reach, soft in (
        (edema * (1 + 0.1 * grain), swelling, 0.35),
        (rim * grain, 1.0, 0.12),
        (core * grain, rng.uniform(0.45, 0.8), 0.15),
    ):
        cover = np.clip((reach - distance) / soft, 0, 1) * inside
        opacity = 0.7 if reach == swelling else rng.uniform(0.85, 1.0)
        values = values * (1 - opacity * cover) + np.clip(level, 0, 255) * opacity * cover
    lesion = np.clip((1.0 - distance) / 0.12, 0, 1) * inside
    return _if_seen(image, values, lesion, tissue)


def transplant(
    image: NDArray[np.uint8], donor: Donor, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
    """Blend the tumor of another slice into the brain of a slice.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size)
        Prepared slice.
    donor : Donor
        Where the tumor comes from; of the same size.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    changed : ndarray of uint8, shape (size, size)
        The slice with a tumor.
    cover : ndarray of float64, shape (size, size)
        Opacity of the tumor in each pixel, in [0, 1].
        None in place of both where there is no room, or the change could not be seen.
    """
    side = image.shape[0]
    dx, dy, width, height = (value * side for value in donor.box)
    zoom = rng.uniform(0.75, 1.3)
    radius = 0.5 * zoom * max(width, height)
    site = _site(image, brain_mask(image), 0.45 * radius, rng)
    if site is None or min(width, height) < 4:
        return None
    x, y, tissue = site
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    # The map turns and scales about the picture's centre; bring the tumor there first.
    moves: list[dict[str, Any]] = [
        {"shift": (0.5 - dx / side, 0.5 - dy / side)},
        {"angle": rng.uniform(-0.6, 0.6), "scale": (zoom * mirror, zoom)},
        {"shift": (x / side - 0.5, y / side - 0.5)},
    ]
    across = (np.arange(side) + 0.5)[None, :]
    down = (np.arange(side) + 0.5)[:, None]
    inside_box = np.hypot((across - dx) / (0.5 * width), (down - dy) / (0.5 * height))
    cover = (np.clip((1.15 - inside_box) / 0.25, 0, 1) * 255).astype(np.uint8)
    moved, source = cover, donor.image
    for move in moves:
        moved, source = affine(moved, **move), affine(source, **move)
    own = donor.image[brain_mask(donor.image)]
    ratio = np.clip(tissue / max(float(np.median(own)) if own.size else 1.0, 1.0), 0.5, 2.0)
    pasted = source * ratio * rng.uniform(0.85, 1.2)
    opacity = moved / 255 * (image > 8)
    values = image * (1 - opacity) + pasted * opacity
    return _if_seen(image, values, opacity, tissue)


def smooth_noise(side: int, grain: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw noise in [-1, 1] with about `grain` bumps across a square of a side."""
    coarse = rng.uniform(-1, 1, (grain, grain)).astype(np.float32)
    picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(picture, dtype=np.float64), -1, 1)


def _if_seen(
    before: NDArray[np.uint8],
    values: NDArray[np.float64],
    cover: NDArray[np.float64],
    tissue: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
    """Return the change if it is large and strong enough to be called a tumor."""
    after = np.clip(values, 0, 255).astype(np.uint8)
    inside = cover > 0.5
    if inside.mean() < _SMALLEST:
        return None
    strength = np.abs(after[inside].astype(float) - before[inside]).mean()
    return (after, cover) if strength > _WEAKEST * tissue else None


def _site(
    image: NDArray[np.uint8], brain: NDArray[np.bool_], depth: float, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Return a place in the brain that lies deep enough, and the brain's brightness."""
    from scipy import ndimage

    room = ndimage.distance_transform_edt(brain) > depth
    rows, columns = np.nonzero(room)
    if len(rows) < 20:
        return None
    chosen = rng.integers(len(rows))
    return float(columns[chosen]), float(rows[chosen]), float(np.median(image[brain]))


def _irregular_distance(
    side: int, x: float, y: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return distances from a place that bulge, stretch and fray, in pixels."""
    across, down = np.meshgrid(np.arange(side) - x, np.arange(side) - y)
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.7, 1.0)
    along = across * np.cos(turn) + down * np.sin(turn)
    aside = (down * np.cos(turn) - across * np.sin(turn)) / stretch
    fray = 1 + 0.35 * smooth_noise(side, int(rng.integers(5, 12)), rng)
    return np.asarray(np.hypot(along, aside) * fray)


def _push(
    values: NDArray[np.float64], x: float, y: float, by: float, radius: float
) -> NDArray[np.float64]:
    """Push the tissue around a place outwards, as a growing mass does."""
    from scipy import ndimage

    if by < 1:
        return values
    side = values.shape[0]
    across, down = np.meshgrid(np.arange(side) - x, np.arange(side) - y)
    distance = np.maximum(np.hypot(across, down), 1e-6)
    # Tissue seen at distance d came from nearer the centre; the push fades with distance.
    moved = by * np.exp(-((distance / (1.8 * radius)) ** 2)) * np.clip(distance / radius, 0, 1)
    scale = (distance - moved) / distance
    pushed: NDArray[np.float64] = ndimage.map_coordinates(
        values, [y + down * scale, x + across * scale], order=1, mode="nearest"
    )
    return pushed
