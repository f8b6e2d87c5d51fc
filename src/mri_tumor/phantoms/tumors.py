"""Tumors of three kinds: where they lie, how they push, and how they look."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mri_tumor.phantoms.canvas import Canvas, Window
from mri_tumor.phantoms.fields import Field, edge, smooth_noise

REACH = 2.0  # the push ends at this many radii from the center
# Radii in head units (1 is about 9 cm): large, so that small models can learn from few images.
_RADII: Final = {"glioma": (0.24, 0.37), "meningioma": (0.25, 0.37), "pituitary": (0.18, 0.26)}


@dataclass(frozen=True)
class _Site:
    """A tumor's place: center and radius in head units, the window that it can touch."""

    x: float
    y: float
    radius: float
    window: Window


def add_tumor(c: Canvas, kind: str, sequence: str, rng: np.random.Generator) -> Field:
    """Draw a tumor into a finished slice.

    Parameters
    ----------
    c : Canvas
        The slice, with `depth`, `falx` and `sella` set.
    kind : {"glioma", "meningioma", "pituitary"}
        Kind of tumor; "pituitary" needs a slice through the sella.
    sequence : str
        Sequence, which decides on the look of the parts.
    rng : numpy.random.Generator
        Source of the tumor's chance, apart from the anatomy's.

    Returns
    -------
    ndarray of float32, shape (size, size)
        Part of each pixel that the tumor and its edema cover, in [0, 1].
    """
    draw = {"glioma": _glioma, "meningioma": _meningioma, "pituitary": _pituitary}[kind]
    return draw(c, sequence, rng)


def _glioma(c: Canvas, sequence: str, rng: np.random.Generator) -> Field:
    """Draw an irregular tumor within the brain: ring with a dead core, or solid; edema."""
    radius = float(rng.uniform(*_RADII["glioma"]))
    site = _site(c, c.depth, (0.8 * radius, 1.6 * radius), radius, rng)
    w = site.window
    _push(c, site, float(rng.uniform(0.15, 0.30)))
    distance, noise = _blob(c, site, 0.40, rng)
    inner = edge(c.depth[w] - np.float32(0.02), 0.02)
    swelling = float(rng.uniform(0.20, 0.60)) * radius
    fingers = distance + np.float32(swelling) * (1 + np.float32(0.9) * noise)
    edema = edge(fingers, 0.03) * inner * _within(c, site)
    core = edge(distance, 0.02) * inner
    grain = np.float32(0.40) * _patch(site, 24, rng)  # living and dead cells side by side
    c.blend(c.tissues["edema"], np.float32(0.85) * edema, w)
    if rng.random() < 0.8:
        rim = np.float32(radius) * (np.float32(rng.uniform(0.34, 0.55)) + np.float32(0.12) * noise)
        dead = edge(distance - rim, 0.02) * inner
        c.blend(c.tissues["rim"] * (1 + grain), core, w)
        c.blend(c.tissues["necrosis"] * (1 + grain), dead, w)
    else:
        c.blend(c.tissues["solid"] * (1 + grain), core, w)
        if sequence == "T1c":
            nodule = edge(noise - np.float32(0.15), 0.5) * core
            c.blend(c.tissues["rim"], np.float32(0.8) * nodule, w)
    return _mask(c, w, np.maximum(edema, core))


def _meningioma(c: Canvas, sequence: str, rng: np.random.Generator) -> Field:
    """Draw a round, even tumor on the dura of the skull or the falx, with a cleft around."""
    radius = float(rng.uniform(*_RADII["meningioma"]))
    if c.falx is not None and rng.random() < 0.22:
        surface = np.where(c.depth > 0.1, c.falx, -1).astype(np.float32)
    else:
        surface = c.depth
    site = _site(c, surface, (0.62 * radius, 0.78 * radius), radius, rng)
    w = site.window
    _push(c, site, float(rng.uniform(0.20, 0.35)))
    distance, noise = _blob(c, site, 0.07, rng)
    inner = edge(np.minimum(c.depth[w], surface[w] + np.float32(0.03)), c.pixel)
    swelling = rng.uniform(0.04, 0.12) if rng.random() < 0.35 else 0.02
    halo = edge(distance + np.float32(swelling) * (1 + noise), 0.04)
    halo *= inner * _within(c, site)
    cleft = edge(distance + np.float32(0.024), 0.02) * inner
    body = edge(distance, 0.016) * inner
    c.blend(c.tissues["edema"], np.float32(0.7) * halo, w)
    c.blend(c.tissues["csf"], np.float32(0.75) * cleft, w)
    if sequence == "T1c":  # the dura beside it lights up too: its tail
        tail = edge(distance + np.float32(0.6 * radius), 0.05)
        tail *= edge(np.float32(0.018) - np.abs(surface[w] - np.float32(0.008)), 0.01)
        c.blend(c.tissues["meningioma"], np.float32(0.8) * tail * inner, w)
    c.blend(c.tissues["meningioma"] * (1 + np.float32(0.06) * noise), body, w)
    return _mask(c, w, np.maximum(halo, cleft))


def _pituitary(c: Canvas, sequence: str, rng: np.random.Generator) -> Field:
    """Draw a smooth tumor on the sella, often with a waist where it leaves it upwards."""
    if c.sella is None:
        msg = "a pituitary tumor needs a slice through the sella"
        raise RuntimeError(msg)
    radius = float(rng.uniform(*_RADII["pituitary"]))
    x, y = c.sella
    site = _around(c, x, y - 0.45 * radius, radius)
    w = site.window
    _push(c, site, 0.15)
    distance, noise = _blob(c, site, 0.10, rng)
    dx, dy = c.x[w] - np.float32(x), c.y[w] - np.float32(y + 0.40 * radius)
    seat = np.float32(0.72 * radius) - np.sqrt(dx * dx + dy * dy)
    distance = np.maximum(distance, seat)
    rim = edge(distance + np.float32(0.02), 0.02)
    body = edge(distance, 0.018)
    c.blend(c.tissues["csf"], np.float32(0.6) * rim, w)
    c.blend(c.tissues["adenoma"] * (1 + np.float32(0.10) * noise), body, w)
    if rng.random() < 0.15:  # part of it a cyst
        cyst = edge(distance - np.float32(0.6 * radius) + np.float32(0.03) * noise, 0.02)
        c.blend(c.tissues["necrosis"], np.float32(0.8) * cyst, w)
    del sequence
    return _mask(c, w, rim)


def _site(
    c: Canvas,
    distance: Field,
    between: tuple[float, float],
    radius: float,
    rng: np.random.Generator,
) -> _Site:
    """Choose a point whose distance to a surface lies between two limits, off the sella."""
    low, high = between
    # The first that fits of many darts: the same place whatever the picture's size.
    darts = rng.uniform(-1, 1, (1500, 2))
    columns, rows = c.place(darts).T
    at = _sample(distance, rows, columns)
    near = (at > low) & (at < high)
    near &= (np.minimum(rows, columns) > 0) & (np.maximum(rows, columns) < c.size - 1)
    if c.sella is not None:
        near &= np.hypot(*(darts - c.sella).T) > 0.18 + radius
    hits = np.flatnonzero(near)
    if hits.size:
        x, y = darts[hits[0]]
    else:  # a head so small that the limits fall between pixels
        row, column = np.unravel_index(int(np.argmax(distance)), distance.shape)
        x, y = c.x[row, column], c.y[row, column]
    return _around(c, float(x), float(y), radius)


def _around(c: Canvas, x: float, y: float, radius: float) -> _Site:
    """Return a site with its window, which ends inside of the picture."""
    column, row = c.place([(x, y)])[0]
    half = (REACH + 0.1) * radius * 1.1 / c.pixel
    low = np.maximum(np.floor([row - half, column - half]), 0).astype(int)
    high = np.minimum(np.ceil([row + half, column + half]) + 1, c.size).astype(int)
    return _Site(x, y, radius, (slice(low[0], high[0]), slice(low[1], high[1])))


def _blob(
    c: Canvas, site: _Site, roughness: float, rng: np.random.Generator
) -> tuple[Field, Field]:
    """Return the distance to a blob's border, positive inside, and a field of noise."""
    w = site.window
    dx, dy = c.x[w] - np.float32(site.x), c.y[w] - np.float32(site.y)
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1.0, 1.25)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along, across = (dx * cos + dy * sin) / stretch, (dy * cos - dx * sin) * stretch
    noise = _patch(site, 9, rng).clip(-1.2, 1.2)
    distance = np.float32(site.radius) * (1 + np.float32(roughness) * noise)
    distance -= np.sqrt(along * along + across * across).astype(np.float32)
    return distance.astype(np.float32), noise


def _patch(site: _Site, cells: int, rng: np.random.Generator) -> Field:
    """Return a smooth random field over a site's window."""
    height, width = (part.stop - part.start for part in site.window)
    return smooth_noise(rng, cells, max(height, width))[:height, :width]


def _within(c: Canvas, site: _Site) -> Field:
    """Return 1 near a site, falling to 0 before its window ends, so that nothing is cut off."""
    w = site.window
    dx, dy = c.x[w] - np.float32(site.x), c.y[w] - np.float32(site.y)
    return edge(np.float32(0.93 * REACH * site.radius) - np.sqrt(dx * dx + dy * dy), 0.05)


def _push(c: Canvas, site: _Site, strength: float) -> None:
    """Move brain outwards from the site, as a growing mass does, but not the skull.

    Each pixel takes its value from nearer to the center; the shift ends at ``REACH`` radii and
    at the brain's border.
    """
    w = site.window
    dx, dy = c.x[w] - np.float32(site.x), c.y[w] - np.float32(site.y)
    rho = np.sqrt(dx * dx + dy * dy) * np.float32(1 / site.radius)
    share = np.clip(1 - rho * np.float32(1 / REACH), 0, 1)
    share *= share
    share *= np.float32(strength) * np.clip(c.depth[w] * 10, 0, 1)
    step_x, step_y = c.direct(dx * share, dy * share)
    rows, columns = np.mgrid[w]
    c.image[w] = _sample(c.image, rows - step_y, columns - step_x)


def _sample(image: Field, rows: NDArray[np.floating], columns: NDArray[np.floating]) -> Field:
    """Read an image between its pixels (bilinear)."""
    last = image.shape[0] - 2
    top, left = (np.clip(v, 0, last).astype(np.intp) for v in (rows, columns))
    v, u = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    upper = image[top, left] * (1 - u) + image[top, left + 1] * u
    lower = image[top + 1, left] * (1 - u) + image[top + 1, left + 1] * u
    return np.asarray(upper * (1 - v) + lower * v, np.float32)


def _mask(c: Canvas, window: Window, alpha: Field) -> Field:
    """Put a window's coverage into a field of the whole picture."""
    out = np.zeros((c.size, c.size), np.float32)
    out[window] = alpha
    return out
