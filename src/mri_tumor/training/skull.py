"""Remove the skull from a slice by image processing, to train for scans that lack it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Work at about this side: a skull is then one to three pixels thick, and speckle is gone.
_SIDE = 112
# Parts of the head that a brain can cover in a slice, between the top of the head and its middle.
_SMALLEST, _LARGEST = 0.20, 0.88


def strip_skull(
    image: NDArray[np.uint8], rng: np.random.Generator | None = None
) -> NDArray[np.uint8] | None:
    """Blacken all but the brain, as far as thresholds and morphology can tell it.

    The head's outline is peeled to the depth where the mean brightness along it is lowest,
    which is the bone; what is left is opened, so that bridges to the scalp break, and the
    largest piece is kept. This is rougher than real skull stripping on purpose: training
    should not depend on how clean it is.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w)
        Grey slice with a dark background.
    rng : numpy.random.Generator, optional
        Varies the depth of the peel by a few pixels; without it the depth is the likeliest.

    Returns
    -------
    ndarray of uint8, shape (h, w), or None
        The brain on black; None where no plausible brain was found.
    """
    from scipy import ndimage

    height, width = image.shape
    factor = max(1, round(min(height, width) / _SIDE))
    small = np.asarray(Image.fromarray(image).reduce(factor), dtype=np.float32)
    white = float(np.percentile(small, 99))
    if white < 16:
        return None
    head = _largest(ndimage.binary_closing(small > 0.12 * white, iterations=2))
    if head is None:
        return None
    head = ndimage.binary_fill_holes(head)
    # Beyond the picture is background: a head that touches the edge is peeled there as well.
    depth = ndimage.distance_transform_edt(np.pad(head, 1))[1:-1, 1:-1]
    size = float(np.sqrt(head.sum()))
    bone = _bone_depth(small, depth, size)
    if rng is not None:
        bone += rng.uniform(-0.01, 0.03) * size
    inside = (depth > bone) & (small > 0.10 * white)
    opened = _largest(ndimage.binary_opening(inside, iterations=max(1, round(0.02 * size))))
    if opened is None:
        return None
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(opened, iterations=2))
    share = brain.sum() / head.sum()
    if not _SMALLEST < share < _LARGEST:
        return None
    mask = Image.fromarray(brain.astype(np.uint8) * 255).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.where(np.asarray(mask) > 127, image, np.uint8(0))


def _bone_depth(
    values: NDArray[np.float32], depth: NDArray[np.floating[Any]], size: float
) -> float:
    """Return the depth under the head's outline at which brightness is lowest, in pixels."""
    first, last = max(2, round(0.03 * size)), max(4, round(0.14 * size))
    shells = np.clip(np.ceil(depth).astype(np.intp), 0, last + 1)
    counts = np.maximum(np.bincount(shells.ravel(), minlength=last + 2), 1)
    means = np.bincount(shells.ravel(), weights=values.ravel(), minlength=last + 2) / counts
    return float(first + np.argmin(means[first : last + 1]) + 1)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Return the largest connected part of a mask, or None if there is none."""
    from scipy import ndimage

    labels, count = ndimage.label(mask)
    if not count:
        return None
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    found: NDArray[np.bool_] = labels == np.argmax(sizes)
    return found
