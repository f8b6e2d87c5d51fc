"""EfficientNet-Lite0 in Keras."""

from __future__ import annotations

from typing import NamedTuple

import keras

# As the network was trained.
_EPSILON = 1e-3
_MOMENTUM = 0.99


class Stage(NamedTuple):
    """Blocks of one width; the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STEM_FILTERS = 32
HEAD_FILTERS = 1280
# Table 1 of the paper, whose B0 has the same widths and depths.
STAGES = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, filters=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, filters=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, filters=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, filters=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, filters=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, filters=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, filters=320),
)


def build_network(input_shape: tuple[int, int, int]) -> keras.Model:
    """Build the network with random weights, without pooling and classifier.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and 3.

    Returns
    -------
    keras.Model
        Takes (x - 127) / 128; returns shape (n, ceil(height / 32), ceil(width / 32), 1280).
    """
    image = keras.Input(input_shape)
    values = _convolve(image, "stem", STEM_FILTERS, kernel=3, stride=2)
    number = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            stride = stage.stride if repeat == 0 else 1
            values = _block(values, f"block_{number}", stage, stride=stride)
            number += 1
    values = _convolve(values, "head", HEAD_FILTERS)
    return keras.Model(image, values, name="efficientnet_lite0")


def _block(
    values: keras.KerasTensor, name: str, stage: Stage, *, stride: int
) -> keras.KerasTensor:
    """Add an inverted residual: expand, convolve each channel, project."""
    before, width = values, values.shape[-1]
    if stage.expansion > 1:
        values = _convolve(values, f"{name}_expand", width * stage.expansion)
    values = keras.layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(values)
    values = _normalise(values, f"{name}_depthwise")
    values = _convolve(values, f"{name}_project", stage.filters, activate=False)
    if stride == 1 and width == stage.filters:
        values = keras.layers.Add(name=f"{name}_add")([values, before])
    return values


def _convolve(
    values: keras.KerasTensor,
    name: str,
    filters: int,
    *,
    kernel: int = 1,
    stride: int = 1,
    activate: bool = True,
) -> keras.KerasTensor:
    # Padded as TensorFlow does, in whose form the network was trained: where a stride leaves an
    # odd number of pixels to add, one more is added below and to the right.
    values = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False, name=name
    )(values)
    return _normalise(values, name, activate=activate)


def _normalise(
    values: keras.KerasTensor, name: str, *, activate: bool = True
) -> keras.KerasTensor:
    values = keras.layers.BatchNormalization(
        epsilon=_EPSILON, momentum=_MOMENTUM, name=f"{name}_bn"
    )(values)
    return keras.layers.ReLU(max_value=6, name=f"{name}_relu")(values) if activate else values
