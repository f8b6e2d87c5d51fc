"""Options that the methods share, as typed keyword arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence


EXPLANATION = "grad_cam"
"""Method that explains without a framework, unless the model's bundle names another."""


class TargetOptions(TypedDict, total=False):
    """Options that every method takes.

    Parameters
    ----------
    class_names : sequence of str
        Names of the model's classes in the order of its outputs, so that `target` may be a name.
    negative_class : int or str
        The class that means *no tumor*, for the target ``"tumor"``; by default ``"notumor"`` where
        `class_names` has it.
    flip : bool
        Average with the map of the mirrored image, mirrored back (off by default; twice the work).
    shift : int
        Average with the maps of four copies moved diagonally by this many pixels and moved back
        (0 by default; five times the work). Half of a coarse map's cell makes it finer.
    blur : float
        Blur each map by a Gaussian of this many pixels (0 by default), so that the scattered maps
        of the methods on pixels peak where much of their evidence lies.
    """

    class_names: Sequence[str] | None
    negative_class: int | str | None
    flip: bool
    shift: int
    blur: float


class CamOptions(TargetOptions, total=False):
    """Options of the methods that read layers.

    Parameters
    ----------
    strides : sequence of int or "fine"
        Instead of `layer`: fuse the last layers at these strides, such as (8, 16, 32), where a map
        at stride s has one cell per s x s pixels; ``"fine"`` for those three as far as there are.
    fuse : {"product", "mean", "max"}
        How several layers' maps become one, see :func:`mri_tumor.explain.maps.fuse_maps`; "product" by
        default.
    """

    strides: Sequence[int] | str | None
    fuse: str
