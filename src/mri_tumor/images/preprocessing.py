"""The one way from a decoded image to the input of a model.

Training, predicting, the runtime, the exports and the app all call `preprocess`, so what a
model sees in use is what it saw in training. It removes what differs between scanners and says
nothing about tumours: black margins, aspect ratio of the canvas, and the intensity scale.
NumPy and Pillow are all it needs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from mri_tumor.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# Raised whenever `preprocess` gives other pixels for the same settings; bundles record it.
VERSION = 1

# The dark level is a low percentile rather than the minimum: JPEG ringing leaves single
# zeros in a background that is grey.
_DARK_PERCENT = 2.0
# The edge is looked for in an image of about this side: it is quick, and noise averages out.
_EDGE_SIDE = 64


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Settings of `preprocess`, stored in every bundle.

    Parameters
    ----------
    size : int, default=224
        Side of the square model input in pixels, at least 16.
    crop : bool, default=True
        Crop to the head, the largest bright region along both axes.
    margin : float, default=0.03
        Margin kept around the head as a fraction of its longer side, in [0, 0.5].
    edge : float, default=0.10
        Brightness at which the head begins, as a fraction of the range from the dark level
        to the 99.5th percentile, in (0, 1).
    white_percentile : float or None, default=99.5
        Percentile of the foreground that becomes 255, in (50, 100]. None keeps intensities.

    Raises
    ------
    ParameterError
        If a setting lies outside of its range.

    Examples
    --------
    >>> Preprocessing(size=160).to_dict()["size"]
    160
    """

    size: int = 224
    crop: bool = True
    margin: float = 0.03
    edge: float = 0.10
    white_percentile: float | None = 99.5

    def __post_init__(self) -> None:
        size: Any = self.size
        checks = {
            "size": (
                isinstance(size, (int, np.integer)) and 16 <= size <= 4096,
                "an integer from 16 to 4096",
            ),
            "margin": (0 <= self.margin <= 0.5, "in [0, 0.5]"),
            "edge": (0 < self.edge < 1, "in (0, 1)"),
            "white_percentile": (
                self.white_percentile is None or 50 < self.white_percentile <= 100,
                "None or in (50, 100]",
            ),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                message = (
                    f"Preprocessing: {name} must be {wanted}. Received: {getattr(self, name)!r}"
                )
                raise ParameterError(message)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings and the version of the method, ready for JSON."""
        return {**asdict(self), "version": VERSION}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocessing:
        """Build the settings from `to_dict`'s output.

        Raises
        ------
        ParameterError
            If a setting is unknown, or was written by a newer method than this one.
        """
        known = {field.name for field in fields(cls)}
        version = values.get("version", VERSION)
        unknown = set(values) - known - {"version"}
        if version != VERSION or unknown:
            message = (
                f"Preprocessing settings were written for method version {version} with unknown "
                f"settings {sorted(unknown)}; this library has version {VERSION}. "
                "Install the version of mri-tumor that the model was saved with."
            )
            raise ParameterError(message)
        return cls(**{name: values[name] for name in known if name in values})


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Where the model's input lies in the original image.

    Parameters
    ----------
    height, width : int
        Shape of the original image in pixels.
    top, left, bottom, right : int
        Part of the original that was kept, in pixels; `bottom` and `right` are exclusive.
    size : int
        Side of the model's input in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from mri_tumor import make_phantoms
    >>> image = np.pad(make_phantoms(1, size=64).images[0], ((0, 0), (20, 0)))
    >>> _, geometry = preprocess(image, Preprocessing(size=32))
    >>> geometry.to_original(np.ones((7, 7))).shape
    (64, 84)
    """

    height: int
    width: int
    top: int
    left: int
    bottom: int
    right: int
    size: int

    @property
    def side(self) -> int:
        """Side of the padded square in pixels of the original."""
        return max(self.bottom - self.top, self.right - self.left)

    @property
    def offset(self) -> tuple[int, int]:
        """Rows and columns of padding before the kept part, in pixels of the original."""
        return (
            (self.side - (self.bottom - self.top)) // 2,
            (self.side - (self.right - self.left)) // 2,
        )

    def to_original(self, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Map values over the model's input to the pixels of the original image.

        Parameters
        ----------
        values : ndarray of float, shape (m, m)
            A square map that covers the model's input; any resolution.

        Returns
        -------
        ndarray of float32, shape (height, width)
            Bilinearly resampled; 0 where the original was cut off.
        """
        square = Image.fromarray(np.asarray(values, dtype=np.float32)).resize(
            (self.side, self.side), Image.Resampling.BILINEAR
        )
        down, across = self.offset
        high, wide = self.bottom - self.top, self.right - self.left
        whole = np.zeros((self.height, self.width), dtype=np.float32)
        whole[self.top : self.bottom, self.left : self.right] = np.asarray(square)[
            down : down + high, across : across + wide
        ]
        return whole

    def box_to_input(
        self, x_center: float, y_center: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        """Map a box from fractions of the original to fractions of the model's input.

        Parameters
        ----------
        x_center, y_center, width, height : float
            Box as fractions of the original image's width and height.

        Returns
        -------
        tuple of float
            The same four numbers as fractions of the model's input; a box in a part that was
            cut off lies outside of [0, 1].
        """
        down, across = self.offset
        return (
            (x_center * self.width - self.left + across) / self.side,
            (y_center * self.height - self.top + down) / self.side,
            width * self.width / self.side,
            height * self.height / self.side,
        )


def preprocess(
    image: NDArray[np.uint8], settings: Preprocessing | None = None
) -> tuple[NDArray[np.uint8], Geometry]:
    """Turn a decoded image into the input of a model.

    The head is cropped out, its intensities are stretched so that the dark level becomes 0
    and the 99.5th percentile of the foreground 255, the result is padded to a square with
    black and resized with antialiasing.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Grey image, intensities in [0, 255].
    settings : Preprocessing, optional
        Defaults to ``Preprocessing()``.

    Returns
    -------
    values : ndarray of uint8, shape (size, size, 3)
        Model input in [0, 255]; the three channels are equal.
    geometry : Geometry
        Where `values` lies in `image`.

    Raises
    ------
    ParameterError
        If `image` is not a two-dimensional uint8 array.

    Examples
    --------
    >>> image = np.zeros((100, 80), dtype=np.uint8)
    >>> image[20:80, 30:60] = 50
    >>> values, geometry = preprocess(image, Preprocessing(size=32, margin=0.0))
    >>> values.shape, int(values.max()), (geometry.top, geometry.left)
    ((32, 32, 3), 255, (20, 30))
    """
    settings = settings or Preprocessing()
    if image.dtype != np.uint8 or image.ndim != 2 or 0 in image.shape:
        message = (
            "preprocess: image must be a uint8 array of shape (height, width); read files "
            f"with read_image. Received: {image.dtype} of shape {image.shape}"
        )
        raise ParameterError(message)
    height, width = image.shape
    dark, white = _levels(image, settings)
    picture = Image.fromarray(image)
    box = (0, 0, width, height)
    if settings.crop and white > dark:
        box = _head_box(picture, dark + settings.edge * (white - dark), settings.margin)
    left, top, right, bottom = box
    geometry = Geometry(
        height=height, width=width, top=top, left=left, bottom=bottom, right=right,
        size=settings.size,
    )  # fmt: skip
    kept = picture.crop(box)
    if settings.white_percentile is not None and white > dark:
        steps = np.rint((np.arange(256) - dark) * (255.0 / (white - dark)))
        table = np.clip(steps, 0, 255).astype(np.uint8)
        kept = Image.fromarray(table.take(np.asarray(kept)))
    square = Image.new("L", (geometry.side, geometry.side))
    down, across = geometry.offset
    square.paste(kept, (across, down))
    # Pillow widens the filter when it shrinks, so this is antialiased.
    small = square.resize((settings.size, settings.size), Image.Resampling.BILINEAR)
    return np.array(Image.merge("RGB", (small, small, small))), geometry


def _levels(image: NDArray[np.uint8], settings: Preprocessing) -> tuple[float, float]:
    """Return the dark level and the white level of an image."""
    # Every 2nd pixel of a large image says the same and costs a quarter.
    step = max(1, min(image.shape) // 128)
    counts = np.bincount(image[::step, ::step].ravel(), minlength=256)
    dark = _percentile(counts, _DARK_PERCENT)
    top = _percentile(counts, 99.5)
    foreground = counts.copy()
    foreground[: int(dark + settings.edge * (top - dark)) + 1] = 0
    percentile = 99.5 if settings.white_percentile is None else settings.white_percentile
    white = _percentile(foreground, percentile) if foreground.any() else top
    return float(dark), float(white)


def _percentile(counts: NDArray[np.intp], percent: float) -> int:
    """Return the grey value below or at which `percent` of the counted pixels lie."""
    running = np.cumsum(counts)
    return int(np.searchsorted(running, percent / 100 * running[-1]))


def _head_box(picture: Image.Image, edge: float, margin: float) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the head in pixels of the picture."""
    factor = max(1, round(min(picture.size) / _EDGE_SIDE))
    mask = np.asarray(picture.reduce(factor) if factor > 1 else picture) > edge
    top, bottom, left, right = 0, mask.shape[0], 0, mask.shape[1]
    # Narrowing one axis cleans the profile of the other: text in a corner falls away.
    for _ in range(2):
        top, bottom = _longest_run(mask[:, left:right].sum(axis=1) / (right - left))
        left, right = _longest_run(mask[top:bottom].sum(axis=0) / (bottom - top))
    width, height = picture.size
    extra = round(margin * max(bottom - top, right - left) * factor)
    return (
        max(0, left * factor - extra),
        max(0, top * factor - extra),
        min(width, right * factor + extra),
        min(height, bottom * factor + extra),
    )


def _longest_run(profile: NDArray[np.float64]) -> tuple[int, int]:
    """Return start and end of the longest run in which a profile holds foreground."""
    # Two per cent of a line is less than any cut through a head and more than a stray pixel.
    inside = np.zeros(len(profile) + 2, dtype=bool)
    inside[1:-1] = profile > 0.02
    starts, ends = np.flatnonzero(inside[1:] != inside[:-1]).reshape(-1, 2).T
    if not len(starts):
        return 0, len(profile)
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])
