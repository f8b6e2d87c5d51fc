"""Rules on the pixels that need no model: blank, empty, noise, print, no dark background."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.gate.appearance import MEASURES, WIDTH, Measures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where each rule begins to refuse; see `appearance.Measures` for the units.

    The defaults lie far from scans: of 7,163 slices of the two sets that the shipped model
    learns from they refuse 2. `relaxed` moves them further where data call for it.

    Parameters
    ----------
    contrast : float, default=12
        Fewest grey levels between darkest and brightest.
    foreground : float, default=0.02
        Smallest share of the picture that stands out from the background.
    smoothness : float, default=0.3
        Smallest correlation of neighbouring pixels.
    levels : float, default=1.2
        Smallest entropy of the foreground's grey levels in bits.
    extremes : float, default=0.9
        Largest share of pixels that are black or white.
    corners : float, default=0.75
        Brightest second darkest corner.

    Raises
    ------
    ParameterError
        If a limit is not a finite number.
    """

    contrast: float = 12.0
    foreground: float = 0.02
    smoothness: float = 0.3
    levels: float = 1.2
    extremes: float = 0.9
    corners: float = 0.75

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                message = f"Limits: {name} must be a finite number. Received: {value!r}"
                raise ParameterError(message)

    def reason(self, measures: Measures) -> str:
        """Say why a picture is refused.

        Parameters
        ----------
        measures : Measures
            Of the picture.

        Returns
        -------
        str
            The first reason that holds, in words; empty if none does.
        """
        for rule in _RULES:
            value, limit = rule.value(measures), getattr(self, rule.limit)
            if value < limit if rule.smallest else value > limit:
                return rule.words.format(value)
        return ""

    def relaxed(self, descriptions: NDArray[np.float32], *, share: float) -> Limits:
        """Move limits so that each refuses at most a share of pictures known to be scans.

        Parameters
        ----------
        descriptions : ndarray of float32, shape (n, WIDTH)
            `describe_all` of scans.
        share : float
            Largest share of them that a rule may refuse, in [0, 1].

        Returns
        -------
        Limits
            No stricter than these.
        """
        columns = dict(zip(MEASURES, descriptions[:, : len(MEASURES)].T, strict=True))
        every = Measures(**columns)
        moved = {}
        for rule in _RULES:
            values, limit = np.asarray(rule.value(every)), getattr(self, rule.limit)
            if rule.smallest:
                edge = float(np.quantile(values, share, method="lower"))
                moved[rule.limit] = min(limit, edge)
            else:
                edge = float(np.quantile(values, 1 - share, method="higher"))
                moved[rule.limit] = max(limit, edge)
        return replace(self, **moved)

    def to_dict(self) -> dict[str, float]:
        """Return the limits, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Limits:
        """Build the limits from `to_dict`'s output.

        Raises
        ------
        ParameterError
            If a limit is missing, unknown or no number.
        """
        known = {field.name for field in fields(cls)}
        if set(values) != known:
            message = f"Limits: expected {sorted(known)}. Received: {sorted(values)}"
            raise ParameterError(message)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class _Rule:
    limit: str
    smallest: bool
    value: Callable[[Any], Any]
    words: str


# In the order of how plainly each says what the picture is. Values may be arrays.
_RULES = (
    _Rule(
        limit="contrast", smallest=True, value=lambda m: m.contrast,
        words="the picture is blank: its grey levels span only {:.0f} of 255",
    ),
    _Rule(
        limit="smoothness", smallest=True, value=lambda m: m.smoothness,
        words="the picture is noise: neighbouring pixels are hardly alike (correlation {:.2f})",
    ),
    _Rule(
        limit="foreground", smallest=True, value=lambda m: m.head * m.fill,
        words="the picture is all but empty: {:.1%} of it stands out from the background",
    ),
    _Rule(
        limit="corners", smallest=False, value=lambda m: m.corners,
        words="the corners are bright ({:.0%} of white), where a scan is dark around the head",
    ),
    _Rule(
        limit="extremes", smallest=False, value=lambda m: m.extremes,
        words="the picture is black and white ({:.0%} of it), as text and drawings are",
    ),
    _Rule(
        limit="levels", smallest=True, value=lambda m: m.levels,
        words="the picture has few grey levels ({:.1f} bits), as text, drawings and charts have",
    ),
)  # fmt: skip


def check_descriptions(name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """Return descriptions as float32, or say what is wrong with them.

    Raises
    ------
    ParameterError
        If they are not finite numbers of shape (n, WIDTH) with n at least 1.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != WIDTH or not len(values):
        message = (
            f"{name} must be what describe_all gives for at least one picture, of shape "
            f"(n, {WIDTH}). Received the shape {values.shape}."
        )
        raise ParameterError(message)
    if not np.isfinite(values).all():
        message = f"{name} must be finite; it holds NaN or infinite values."
        raise ParameterError(message)
    return values.astype(np.float32, copy=False)
