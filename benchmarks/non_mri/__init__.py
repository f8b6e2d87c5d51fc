"""A scripted set of pictures that are no brain MRI slice, in kinds, from a seed.

    python benchmarks/non_mri              # counts, and with --sheet FILE a contact sheet

`pictures("fit")` may serve to fit a gate, `pictures("held_out")` only to measure it. The kinds
of the two parts are disjoint, and so are the photographs. Most are drawn here; photographs come
with scikit-image, scikit-learn and matplotlib, scans of other anatomy with pydicom and
pydicom-data (both `pip install` without a network afterwards). Without one of these packages
its kinds are missing, which `missing()` tells.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from non_mri import anatomy, pages, patterns, photos
from non_mri.outlines import in_outline
from non_mri.scrambles import SCRAMBLES


class Picture(NamedTuple):
    """One picture: its kind, its name, and uint8 pixels, (h, w) or (h, w, 3)."""

    kind: str
    name: str
    pixels: np.ndarray


@dataclass(frozen=True)
class Kind:
    """A kind of picture: which part it belongs to, how many, and ``make(rng, i)``."""

    part: str
    count: int
    make: Callable[[np.random.Generator, int], Any]
    needs: tuple[str, ...] = ()
    needs_dicom: tuple[str, ...] = ()

    def available(self):
        """Return whether the packages are here that ship what this kind is made from."""
        files = [photos.file_of(name) for name in self.needs]
        files += [anatomy.dicom_file(name) for name in self.needs_dicom]
        return not files or any(files)


def _held(count, make, **needs):
    return Kind("held_out", count, make, **needs)


def _fit(count, make, **needs):
    return Kind("fit", count, make, **needs)


def _outline(rng, i):
    """Draw a picture of another kind of the fitting part in the outline of a head."""
    names = [name for name in KINDS if KINDS[name].part == "fit" and name != "outline"]
    names = [name for name in names if KINDS[name].available() and name not in _BLANK]
    kind = KINDS[names[i % len(names)]]
    pixels = np.asarray(kind.make(rng, int(rng.integers(kind.count))), np.uint8)
    # A crop, so that drawn bodies on black do not stay whole.
    high, wide = (int(side * 0.7) for side in pixels.shape[:2])
    top, left = (
        int(rng.integers(0, high // 2 + 1) * 0.8),
        int(rng.integers(0, wide // 2 + 1) * 0.8),
    )
    return in_outline(rng, pixels[top : top + high, left : left + wide])


_BLANK = ("black", "flat")
KINDS = {
    "black": _fit(6, patterns.black),
    "flat": _fit(12, patterns.flat),
    "gaussian_noise": _fit(20, patterns.gaussian_noise),
    "salt_pepper": _fit(12, patterns.salt_pepper),
    "soft_clouds": _fit(20, patterns.soft_clouds),
    "checkerboard": _fit(12, patterns.checkerboard),
    "stripes": _fit(16, patterns.stripes),
    "gradient": _fit(15, patterns.gradient),
    "ellipses": _fit(24, patterns.ellipses),
    "text_lines": _fit(20, pages.text_lines),
    "qr_like": _fit(12, pages.qr_like),
    "line_chart": _fit(12, pages.line_chart),
    "photo_a": _fit(36, photos.whole(photos.FIT), needs=photos.FIT),
    "photo_crop_a": _fit(54, photos.crop(photos.FIT), needs=photos.FIT),
    "photo_oval_a": _fit(36, photos.vignette(photos.FIT), needs=photos.FIT),
    "torso": _fit(36, anatomy.torso),
    "limbs": _fit(24, anatomy.limbs),
    "bones": _fit(20, anatomy.bones),
    "fan": _fit(20, anatomy.fan),
    "outline": _fit(80, _outline),
    "white": _held(6, patterns.white),
    "two_tone": _held(8, patterns.two_tone),
    "uniform_noise": _held(16, patterns.uniform_noise),
    "speckle": _held(16, patterns.speckle),
    "static_disc": _held(12, patterns.static_disc),
    "marble": _held(16, patterns.marble),
    "rings": _held(16, patterns.rings),
    "halftone": _held(12, patterns.halftone),
    "voronoi": _held(16, patterns.voronoi),
    "fractal": _held(16, patterns.fractal),
    "polygons": _held(24, patterns.polygons),
    "ball": _held(18, patterns.ball),
    "caption": _held(16, pages.caption),
    "document": _held(24, pages.document),
    "handwriting": _held(12, pages.handwriting),
    "screen": _held(16, pages.screen),
    "barcode": _held(8, pages.barcode),
    "other_chart": _held(20, pages.other_chart),
    "photo_b": _held(60, photos.whole(photos.HELD_OUT), needs=photos.HELD_OUT),
    "photo_crop_b": _held(90, photos.crop(photos.HELD_OUT), needs=photos.HELD_OUT),
    "photo_oval_b": _held(45, photos.vignette(photos.HELD_OUT), needs=photos.HELD_OUT),
    "sky": _held(12, photos.crop(photos.SKY), needs=photos.SKY),
    "faces": _held(12, photos.faces, needs=("skimage/lfw_subset.npy",)),
    "retina": _held(12, photos.retina, needs=("skimage/retina.jpg",)),
    "terrain": _held(10, photos.terrain, needs=("matplotlib/jacksboro_fault_dem.npz",)),
    "shepp_logan": _held(8, anatomy.shepp_logan, needs=("skimage/phantom.png",)),
    **{
        kind: Kind(part, 6 * len(files), anatomy.dicom(kind), needs_dicom=files)
        for kind, (part, files) in anatomy.OPEN_DICOM.items()
    },
}
"""Name of each kind to how it is made."""


def missing():
    """Return the kinds that cannot be made here, because a package is not installed."""
    return [name for name, kind in KINDS.items() if not kind.available()]


def pictures(part=None, *, kinds=None, per_kind=None, seed=0):
    """Yield pictures that are no brain MRI slice.

    Parameters
    ----------
    part : {"fit", "held_out"}, optional
        Which part; None for both.
    kinds : collection of str, optional
        Only these kinds.
    per_kind : int, optional
        At most so many of each kind.
    seed : int, default=0
        Seed of all chance. A picture depends on its kind, its number and the seed alone.

    Yields
    ------
    Picture
    """
    for name, kind in KINDS.items():
        wanted = part in (None, kind.part) and (kinds is None or name in kinds)
        if not wanted or not kind.available():
            continue
        for i in range(min(kind.count, per_kind or kind.count)):
            rng = np.random.default_rng([seed, zlib.crc32(name.encode()), i])
            pixels = np.ascontiguousarray(kind.make(rng, i), dtype=np.uint8)
            yield Picture(name, f"{name}_{i:03d}", pixels)


def scrambles(part, images, *, per_kind=24, seed=0):
    """Yield slices that were taken apart.

    Parameters
    ----------
    part : {"fit", "held_out"}
        Which part.
    images : sequence of ndarray of uint8, each of shape (h, w)
        Brain MRI slices, or phantoms.
    per_kind : int, default=24
        How many of each kind.
    seed : int, default=0
        Seed of all chance.

    Yields
    ------
    Picture
    """
    for name, (belongs, make) in SCRAMBLES.items():
        for i in range(per_kind if belongs == part else 0):
            rng = np.random.default_rng([seed, zlib.crc32(name.encode()), i])
            chosen = [images[int(k)] for k in rng.integers(0, len(images), 25)]
            pixels = np.ascontiguousarray(make(rng, chosen), dtype=np.uint8)
            yield Picture(name, f"{name}_{i:03d}", pixels)
