"""What a caller may ask of the readers, checked once."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from operator import index
from typing import Literal, TypeAlias

from mri_tumor.errors import ParameterError
from mri_tumor.images.limits import MAX_BYTES, MAX_PIXELS, MAX_VOLUME_BYTES

Window: TypeAlias = Literal["auto", "percentile", "range"] | tuple[float, float]
Plane: TypeAlias = Literal["axial", "coronal", "sagittal"]
Convention: TypeAlias = Literal["radiological", "neurological"]

PLANES: tuple[Plane, ...] = ("sagittal", "coronal", "axial")
"""In the order of the axes that the slices are stacked along: right, anterior, superior."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """Options of `read_image` and `read_volume`, where they are described.

    Raises
    ------
    ParameterError
        If one is out of range.
    """

    plane: Plane | None = None
    convention: Convention = "radiological"
    volume: int | None = None
    series: int | None = None
    window: Window = "auto"
    voi: int = 0
    allow_modality: str | Collection[str] = "MR"
    square_pixels: bool = True
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_BYTES
    max_volume_bytes: int = MAX_VOLUME_BYTES
    in_memory: bool = False

    def __post_init__(self) -> None:
        check_window(self.window)
        _check_word("plane", self.plane, (None, *PLANES))
        _check_word("convention", self.convention, ("radiological", "neurological"))
        if not self.modalities or not all(isinstance(word, str) for word in self.modalities):
            msg = (
                f"allow_modality: {self.allow_modality!r} is not accepted. Pass 'MR' or '*', say."
            )
            raise ParameterError(msg)
        for name in ("volume", "series"):
            check_count(name, getattr(self, name))
        for name in ("voi", "max_pixels", "max_bytes", "max_volume_bytes"):
            check_count(name, getattr(self, name), optional=False)

    @property
    def modalities(self) -> frozenset[str]:
        """Accepted values of the DICOM tag Modality; "*" accepts any."""
        given: object = self.allow_modality
        if isinstance(given, str):
            return frozenset((given,))
        return frozenset(given) if isinstance(given, Iterable) else frozenset()


def check_count(name: str, value: object, *, optional: bool = True) -> None:
    """Check an option that counts from 0.

    Parameters
    ----------
    name : str
        The option's name.
    value : object
        What the caller gave.
    optional : bool, default=True
        Whether None is accepted.

    Raises
    ------
    ParameterError
        If it is no integer from 0.
    """
    if value is None and optional:
        return
    try:
        good = not isinstance(value, bool) and index(value) >= 0  # type: ignore[arg-type]
    except TypeError:
        good = False
    if not good:
        none = ", or None" if optional else ""
        msg = f"{name}: {value!r} is not accepted. Pass an integer from 0{none}."
        raise ParameterError(msg)


def check_window(window: object) -> None:
    """Check the option `window`.

    Parameters
    ----------
    window : object
        What the caller gave.

    Raises
    ------
    ParameterError
        If it is neither a known word nor an increasing pair of finite numbers.
    """
    if isinstance(window, str):
        good = window in ("auto", "percentile", "range")
    else:
        try:
            low, high = (float(end) for end in window)  # type: ignore[attr-defined]
            good = math.isfinite(low) and math.isfinite(high) and low < high
        except (TypeError, ValueError):
            good = False
    if not good:
        msg = (
            f"window: {window!r} is no window. Pass 'auto', 'percentile', 'range', or a pair "
            "(low, high) of intensities."
        )
        raise ParameterError(msg)


def _check_word(name: str, value: object, words: tuple[str | None, ...]) -> None:
    if value not in words:
        known = ", ".join(repr(word) for word in words)
        msg = f"{name}: {value!r} is not known. Pass one of {known}."
        raise ParameterError(msg)
