"""Photographs, textures, microscopy and the sky, from what installed packages ship."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from non_mri.patterns import coordinates

# No photograph stands on both sides: crops of one picture look alike.
FIT = (
    "skimage/astronaut.png",
    "skimage/brick.png",
    "skimage/chelsea.png",
    "skimage/clock_motion.png",
    "skimage/coffee.png",
    "skimage/coins.png",
    "skimage/grass.png",
    "skimage/cell.png",
    "sklearn/china.jpg",
)
HELD_OUT = (
    "skimage/camera.png",
    "skimage/gravel.png",
    "skimage/horse.png",
    "skimage/ihc.png",
    "skimage/logo.png",
    "skimage/microaneurysms.png",
    "skimage/motorcycle_left.png",
    "skimage/page.png",
    "skimage/rocket.jpg",
    "skimage/text.png",
    "skimage/color.png",
    "sklearn/flower.jpg",
    "matplotlib/grace_hopper.jpg",
    "matplotlib/Minduka_Present_Blue_Pack.png",
    "matplotlib/logo2.png",
)
SKY = ("skimage/hubble_deep_field.jpg", "skimage/moon.png")
_FOLDERS = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
}


def file_of(name):
    """Return the path of a picture that a package ships, or None without that package."""
    package, file = name.split("/", 1)
    spec = find_spec(package)
    path = spec and Path(spec.origin).parent / _FOLDERS[package] / file
    return path if path and path.is_file() else None


@cache
def load(name):
    return np.asarray(Image.open(file_of(name)).convert("RGB"))


def available(names):
    return [name for name in names if file_of(name)]


def whole(names):
    """Return a maker that shows each picture as it is, then mirrored, small or turned."""

    def make(rng, i):
        usable = available(names)
        values = load(usable[i % len(usable)])
        turn = i // len(usable)
        if turn == 0:
            return values
        picture = Image.fromarray(values)
        if turn % 2:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        side = int(rng.choice((128, 224, 300)))
        picture = picture.resize((side, side)).rotate(float(rng.uniform(-20, 20)))
        return np.asarray(picture)

    return make


def crop(names):
    """Return a maker of random crops between a fifth and four fifths of the side."""

    def make(rng, i):
        usable = available(names)
        return _crop(rng, load(usable[i % len(usable)]))

    return make


def _crop(rng, values):
    height, width = values.shape[:2]
    side = max(48, int(min(height, width) * rng.uniform(0.2, 0.8)))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    return values[top : top + side, left : left + side]


def vignette(names):
    """Return a maker of crops in an oval on black: a photograph with a head's outline."""

    def make(rng, i):
        usable = available(names)
        values = _crop(rng, load(usable[i % len(usable)]))
        y, x = coordinates(values.shape[:2])
        radius = np.hypot(y / rng.uniform(0.75, 0.98), x / rng.uniform(0.65, 0.95))
        fade = np.clip((1 - radius) / rng.uniform(0.01, 0.1), 0, 1)
        return (values * fade[..., None]).astype(np.uint8)

    return make


def faces(_, i):
    """Small faces of the part of LFW that scikit-image ships, enlarged."""
    values = np.load(file_of("skimage/lfw_subset.npy"))
    face = Image.fromarray((values[i * 7 % 100] * 255).astype(np.uint8))
    return np.asarray(face.resize((160, 160), Image.Resampling.BICUBIC))


def retina(rng, _):
    """Turn a fundus photograph: one compact bright disc on black."""
    picture = Image.fromarray(load("skimage/retina.jpg")).resize((400, 400))
    picture = picture.rotate(float(rng.uniform(0, 360)))
    gamma = rng.uniform(0.7, 1.4)
    return (255 * (np.asarray(picture) / 255) ** gamma).astype(np.uint8)


def terrain(rng, i):
    """Heights of the land around a fault, as a map."""
    heights = np.load(file_of("matplotlib/jacksboro_fault_dem.npz"))["elevation"]
    values = (255 * (heights - heights.min()) / np.ptp(heights)).astype(np.uint8)
    return _crop(rng, values if i % 2 else 255 - values)
