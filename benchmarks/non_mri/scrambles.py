"""Brain MRI taken apart: the texture of a scan without the order of a head.

They teach a gate that grey tissue on black is not enough. The slices come from the caller, since
no scan is part of this repository; phantoms serve as well.
"""

import numpy as np
from PIL import Image


def _square(image, side):
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))


def tiles(rng, images):
    """Shuffle the slice's tiles, 3 x 3 to 5 x 5."""
    n = int(rng.integers(3, 6))
    part = 240 // n
    whole = _square(images[0], n * part).reshape(n, part, n, part).swapaxes(1, 2)
    mixed = rng.permutation(whole.reshape(n * n, part, part)).reshape(n, n, part, part)
    return mixed.swapaxes(1, 2).reshape(n * part, n * part)


def detail(rng, images):
    """Show a quarter to two fifths of the side, from within the head."""
    image = images[0]
    high, wide = (int(side * rng.uniform(0.25, 0.4)) for side in image.shape)
    top = int((image.shape[0] - high) * rng.uniform(0.3, 0.7))
    left = int((image.shape[1] - wide) * rng.uniform(0.3, 0.7))
    return image[top : top + high, left : left + wide]


def sheet(rng, images):
    """Lay many slices out on one film."""
    rows, columns = rng.integers(2, 6, 2)
    chosen = [_square(images[i % len(images)], 96) for i in range(rows * columns)]
    return np.vstack(
        [np.hstack(chosen[row * columns : (row + 1) * columns]) for row in range(rows)]
    )


def unrolled(rng, images):
    """Unroll the slice about its middle: radius down, angle across."""
    image = _square(images[0], 240)
    angle = np.linspace(0, 2 * np.pi, 300)[None] + rng.uniform(0, 6)
    radius = np.linspace(5, 118, 200)[:, None]
    y, x = 119 + radius * np.sin(angle), 119 + radius * np.cos(angle)
    return image[y.astype(int), x.astype(int)]


SCRAMBLES = {"tiles": ("fit", tiles), "detail": ("fit", detail), "sheet": ("fit", sheet),
             "unrolled": ("held_out", unrolled)}  # fmt: skip
"""Name of each kind to the part it belongs to and how it is made."""
