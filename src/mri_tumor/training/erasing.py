"""Take a tumor out of a slice, so that what surrounds it no longer tells the label.

The counterpart of a lesion put into a healthy slice: the same slice of an ill person with and
without its tumor differs by the tumor alone. The place is filled with tissue of the same slice,
seamlessly: Perez et al., "Poisson image editing", ACM Transactions on Graphics 22, 2003
(doi:10.1145/882262.882269). Filling leaves traces, so `patch` leaves the same ones elsewhere
without changing the label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.training.robust import ellipse_cover

if TYPE_CHECKING:
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]

# The ellipse inside a box cuts its corners, and a mask ends before the rim does.
_REACH = (1.3, 1.6)
# Darker than this is air, as in a prepared slice.
_AIR = 8
_CANDIDATES = 60


def erase(
    image: NDArray[np.uint8], box: Box, rng: np.random.Generator
) -> NDArray[np.uint8] | None:
    """Fill the place of a tumor with other tissue of the same slice.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size)
        Prepared slice.
    box : (float, float, float, float)
        Centre x and y, width and height of the tumor as fractions of the side.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    ndarray of uint8, shape (size, size), or None
        The slice without the tumor; None where no other tissue fits.
    """
    return _fill(image, _region(image, box, rng.uniform(*_REACH)), None, rng)


def patch(
    image: NDArray[np.uint8], rng: np.random.Generator, *, avoid: Box | None = None
) -> NDArray[np.uint8] | None:
    """Fill some place with other tissue of the same slice, and leave the tumor alone.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size)
        Prepared slice.
    rng : numpy.random.Generator
        Source of chance.
    avoid : (float, float, float, float), optional
        Centre x and y, width and height of the tumor as fractions of the side.

    Returns
    -------
    ndarray of uint8, shape (size, size), or None
        The changed slice; None where no place or no other tissue fits.
    """
    tumor = None if avoid is None else _region(image, avoid, _REACH[1])
    rows, columns = np.nonzero(image > 4 * _AIR)
    if not len(rows):
        return None
    for _ in range(20):
        at = rng.integers(len(rows))
        width, height = rng.uniform(0.08, 0.3, 2)
        box = float(columns[at]) / image.shape[1], float(rows[at]) / image.shape[0], width, height
        region = _region(image, box, 1.0)
        if tumor is None or not (region & tumor).any():
            return _fill(image, region, tumor, rng)
    return None


def _region(image: NDArray[np.uint8], box: Box, reach: float) -> NDArray[np.bool_]:
    """Return the part of the head that lies in the ellipse of a box, made wider by a factor."""
    x, y, width, height = box
    cover = ellipse_cover((x, y, width * reach, height * reach), len(image))
    return (cover > 0.5) & (image > _AIR)


def _fill(
    image: NDArray[np.uint8],
    region: NDArray[np.bool_],
    avoid: NDArray[np.bool_] | None,
    rng: np.random.Generator,
) -> NDArray[np.uint8] | None:
    """Fill a region from that other place of the slice whose surroundings fit best."""
    from scipy import ndimage

    if not 16 < region.sum() < 0.3 * image.size:
        return None
    ring = ndimage.binary_dilation(region, iterations=2) & ~region
    values = image.astype(np.float64)
    best, found = np.inf, None
    taken = region if avoid is None else region | avoid
    for source, usable in _sources(values, taken, rng):
        if usable[region].mean() < 0.98 or (source[region] > _AIR).mean() < 0.95:
            continue
        # A smooth difference is taken out when the tissue is laid in; what remains shows.
        difference = (values - source)[ring]
        misfit = float(np.abs(difference - np.median(difference)).mean())
        if misfit < best:
            best, found = misfit, source
    if found is None:
        return None
    filled = values.copy()
    filled[region] = (found + _membrane(values - found, region))[region]
    return np.clip(filled, 0, 255).astype(np.uint8)


def _sources(
    values: NDArray[np.float64], taken: NDArray[np.bool_], rng: np.random.Generator
) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Return the slice moved and mirrored in many ways, and where it then shows what is usable."""
    side = len(values)
    columns = np.flatnonzero((values > 4 * _AIR).any(axis=0))
    # Mirrored about the middle of the head, the other half of the brain comes to lie there.
    middle = int(columns[0] + columns[-1] + 1 - side) if len(columns) else 0
    found: list[tuple[NDArray[np.float64], NDArray[np.bool_]]] = []
    moves: list[tuple[bool, int, int]] = [(True, middle, 0)]
    reach = side // 3
    for _ in range(_CANDIDATES):
        across, down = (int(by) for by in rng.integers(-reach, reach + 1, 2))
        moves.append((bool(rng.random() < 0.5), across, down))
    for mirrored, across, down in moves:
        turn = slice(None, None, -1 if mirrored else 1)
        moved, usable = np.zeros_like(values), np.zeros_like(taken)
        into, out = _overlap(side, down), _overlap(side, across)
        moved[into[0], out[0]] = values[:, turn][into[1], out[1]]
        usable[into[0], out[0]] = ~taken[:, turn][into[1], out[1]]
        found.append((moved, usable))
    return found


def _overlap(side: int, by: int) -> tuple[slice, slice]:
    """Return where a line lands that is moved, and what of it does."""
    return slice(max(0, by), min(side, side + by)), slice(max(0, -by), min(side, side - by))


def _membrane(difference: NDArray[np.float64], region: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the smoothest surface over a region that meets a difference at its border."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    padded = np.pad(difference, 1, mode="edge")
    inside = np.pad(region, 1)
    numbers = np.full(inside.shape, -1)
    at = np.argwhere(inside)
    numbers[inside] = np.arange(len(at))
    right = np.zeros(len(at))
    rows, columns = [np.arange(len(at))], [np.arange(len(at))]
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        beside = tuple((at + step).T)
        next_to = numbers[beside]
        inner = next_to >= 0
        right[~inner] += padded[beside][~inner]
        rows.append(np.flatnonzero(inner))
        columns.append(next_to[inner])
    entries = np.concatenate([np.full(len(at), 4.0), np.full(sum(map(len, rows[1:])), -1.0)])
    system = sparse.csr_matrix((entries, (np.concatenate(rows), np.concatenate(columns))))
    surface = np.zeros_like(difference)
    surface[region] = spsolve(system, right)
    return surface
