"""Choose the layers that a map is read from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import ParameterError
from mri_tumor.explain.checks import whole
from mri_tumor.explain.graph import FEATURE_MAP

if TYPE_CHECKING:
    from mri_tumor.explain.engine import Engine


_FINE = (8, 16, 32)


def choose_layers(
    engine: Engine, layer: Any = None, strides: Sequence[int] | str | None = None
) -> tuple[int, ...]:
    """Find the values to explain by.

    Parameters
    ----------
    engine : Engine
        The classifier.
    layer : str, keras.layers.Layer, or a sequence of these, optional
        Layers by object, name or path. By default ``feature_map`` where the model has it, else the
        last value with a height and a width of more than one cell, which is what global pooling
        reads.
    strides : sequence of int or "fine", optional
        Instead of `layer`: for each stride s, the last value of a size of the image's by s.
        ``"fine"`` takes 8, 16 and 32 as far as the model has them, else the default layer.

    Returns
    -------
    tuple of int
        Numbers of the values, as :meth:`Graph.find` gives them.

    Raises
    ------
    ParameterError
        If a layer is unknown or has no height and width, or no layer has a stride.
    """
    if strides is not None:
        if layer is not None:
            raise ParameterError("layer and strides: pass one of them, not both")
        if isinstance(strides, str):
            if strides != "fine":
                raise ParameterError(f"strides: pass integers or 'fine'. Received: {strides!r}")
            strides = [stride for stride in _FINE if _values_at(engine, stride)]
        if strides:
            return tuple(_at_stride(engine, stride) for stride in strides)
    if layer is None:
        return (_default(engine),)
    several = isinstance(layer, Sequence) and not isinstance(layer, str)
    wanted = list(layer) if several else [layer]
    if not wanted:
        raise ParameterError("layer: the list is empty; name one, or pass None for the default")
    numbers = tuple(engine.graph.find(one) for one in wanted)
    for one, number in zip(wanted, numbers, strict=True):
        shape = engine.shapes[number]
        if len(shape) != 4:
            raise ParameterError(
                f"layer: {getattr(one, 'name', one)!r} gives values of shape {shape}; a map needs "
                "(n, height, width, channels), as a convolution gives"
            )
    return numbers


def _spatial(engine: Engine) -> dict[int, tuple[int, int]]:
    """Return the sizes of all values with a height and width of more than one cell, in order."""
    sizes = {}
    for step in engine.graph.steps:
        for number in step.outputs:
            shape = engine.shapes.get(number, ())
            if len(shape) == 4 and shape[1] and shape[2] and shape[1] * shape[2] > 1:
                sizes[number] = (shape[1], shape[2])
    return sizes


def _default(engine: Engine) -> int:
    named = [
        number
        for path, number in engine.graph.places.items()
        if path.rsplit("/", 1)[-1] == FEATURE_MAP and len(engine.shapes[number]) == 4
    ]
    if named:
        return max(named)
    sizes = _spatial(engine)
    if not sizes:
        raise ParameterError(
            f"model: {engine.graph.name!r} has no layer with a height and a width that can be "
            "seen; a model with its own `call` hides its layers, so use a method on the image "
            "itself, such as saliency or occlusion"
        )
    return max(sizes)


def _values_at(engine: Engine, stride: int) -> list[int]:
    height, width = engine.shape[:2]
    wanted = (math.ceil(height / stride), math.ceil(width / stride))
    return [number for number, size in _spatial(engine).items() if size == wanted]


def _at_stride(engine: Engine, stride: int) -> int:
    stride = whole("strides", stride, low=1)
    found = _values_at(engine, stride)
    if not found:
        height, width = engine.shape[:2]
        wanted = (math.ceil(height / stride), math.ceil(width / stride))
        present = sorted({size[0] for size in _spatial(engine).values()}, reverse=True)
        raise ParameterError(
            f"strides: no layer has stride {stride} ({wanted[0]} x {wanted[1]} cells); heights "
            f"in this model: {', '.join(map(str, present))}"
        )
    return max(found)
