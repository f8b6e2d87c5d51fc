"""Scans as another scanner, program or hand would have left them, by image processing.

Each look is ``look(rng, image)`` on grey uint8 pixels of shape (h, w), before any preparation.
Fitting a gate uses them, and measuring it does: what a benchmark reports of them says how a gate
bears a look that it knows on scans that it does not.
"""

import numpy as np
from PIL import Image, ImageFilter


def skull_removed(rng, image):
    """Peel the head by a random depth, as far as a dark gap, and perhaps stretch what is left."""
    from scipy import ndimage

    values = image.astype(float)
    low, high = np.percentile(values, (2, 99.5))
    head = ndimage.gaussian_filter(values, 1.5) > low + 0.15 * (high - low)
    depth = ndimage.distance_transform_edt(ndimage.binary_fill_holes(head))
    brain = depth > depth.max() * rng.uniform(0.12, 0.42)
    middle = np.median(values[brain]) if brain.any() else high
    # Between scalp and brain lies dark bone: what is dark near the rim goes too.
    bright = ndimage.gaussian_filter(values, 0.8) > middle * rng.uniform(0.3, 0.7)
    brain &= bright | (depth > 0.55 * depth.max())
    brain = ndimage.binary_opening(brain, iterations=int(rng.integers(1, 4)))
    parts, count = ndimage.label(brain)
    if count > 1:
        brain = parts == 1 + np.argmax(ndimage.sum(brain, parts, range(1, count + 1)))
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(brain, iterations=2))
    values = np.where(brain, values, 0)
    if rng.random() < 0.5 and brain.any():
        white = max(1.0, np.percentile(values[brain], rng.uniform(90, 99.5)))
        values = np.clip(values / white, 0, 1) * 255
    result = (255 * (values / 255) ** rng.uniform(0.5, 1.5)).astype(np.uint8)
    if rng.random() < 0.3:
        result = blurred(rng, result)
    return low_resolution(rng, result) if rng.random() < 0.3 else result


def brighter(_, image):
    return (255 * (image / 255) ** 0.5).astype(np.uint8)


def darker(_, image):
    return (255 * (image / 255) ** 1.8).astype(np.uint8)


def dim(rng, image):
    return (image * rng.uniform(0.2, 0.5)).astype(np.uint8)


def low_resolution(rng, image):
    """Keep every 2.5th to 4th pixel's worth."""
    picture, factor = Image.fromarray(image), rng.uniform(2.5, 4)
    small = [max(24, int(side / factor)) for side in picture.size]
    return np.asarray(
        picture.resize(small, Image.Resampling.BILINEAR).resize(
            picture.size, Image.Resampling.BICUBIC
        )
    )


def blurred(rng, image):
    picture = Image.fromarray(image)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(rng.uniform(1.5, 3))))


def noisy(rng, image):
    """Add Rician noise of 8 to 25 grey levels."""
    level = rng.uniform(8, 25)
    real, imaginary = rng.normal(0, level, (2, *image.shape))
    return np.clip(np.hypot(image + real, imaginary), 0, 255).astype(np.uint8)


def margins(rng, image):
    """Lay it somewhere on a black canvas of 1.2 to 1.8 times its sides."""
    high, wide = image.shape
    canvas = np.zeros(
        [int(s * (1 + t)) for s, t in zip(image.shape, rng.uniform(0.2, 0.8, 2), strict=True)],
        np.uint8,
    )
    top = rng.integers(0, canvas.shape[0] - high + 1)
    left = rng.integers(0, canvas.shape[1] - wide + 1)
    canvas[top : top + high, left : left + wide] = image
    return canvas


def cut_close(rng, image):
    """Cut 5 to 12% off each side: parts of the head are lost."""
    high, wide = (int(side * rng.uniform(0.05, 0.12)) for side in image.shape)
    return np.ascontiguousarray(image[high:-high, wide:-wide])


def grey_background(rng, image):
    level = rng.uniform(15, 60)
    return (level + image * (1 - level / 255)).astype(np.uint8)


def bias_field(rng, image):
    """Brighten one side, up to e^0.6, and darken the other."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in image.shape), indexing="ij")
    turn = rng.uniform(0, 2 * np.pi)
    field = np.exp(0.6 * (np.cos(turn) * x + np.sin(turn) * y))
    return np.clip(image * field, 0, 255).astype(np.uint8)


def tilted(rng, image):
    picture = Image.fromarray(image)
    return np.asarray(picture.rotate(rng.uniform(-40, 40), Image.Resampling.BILINEAR))


def turned(rng, image):
    return np.ascontiguousarray(np.rot90(image, rng.integers(1, 4)))


LOOKS = {
    look.__name__: look
    for look in (
        skull_removed, brighter, darker, dim, low_resolution, blurred, noisy, margins, cut_close,
        grey_background, bias_field, tilted, turned,
    )
}  # fmt: skip
"""Name of each look to how it is made."""
