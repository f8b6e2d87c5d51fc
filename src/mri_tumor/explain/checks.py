"""Checks of plain numbers, shared by the methods."""

from __future__ import annotations

import math
import numbers
from typing import Any

from mri_tumor.errors import ParameterError


def whole(name: str, value: Any, *, low: int, high: int | None = None) -> int:
    """Check a whole number.

    Parameters
    ----------
    name : str
        The argument, for the message.
    value : int
        Any integer type; no bool.
    low, high : int
        Ends of what is allowed, both included.

    Returns
    -------
    int
        The number.

    Raises
    ------
    ParameterError
        If it is none, or outside.
    """
    good = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not good or value < low or (high is not None and value > high):
        span = f"from {low}" if high is None else f"from {low} to {high}"
        raise ParameterError(f"{name}: expected a whole number {span}, got {value!r}")
    return int(value)


def real(name: str, value: Any, *, low: float, high: float = math.inf) -> float:
    """Check a finite number.

    Parameters
    ----------
    name : str
        The argument, for the message.
    value : float
        Any real type; no bool.
    low, high : float
        Ends of what is allowed, both included.

    Returns
    -------
    float
        The number.

    Raises
    ------
    ParameterError
        If it is none, not finite, or outside.
    """
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not low <= value <= high:
        span = f"from {low}" if high == math.inf else f"from {low} to {high}"
        raise ParameterError(f"{name}: expected a number {span}, got {value!r}")
    return float(value)
