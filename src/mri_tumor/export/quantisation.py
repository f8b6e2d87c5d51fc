"""Networks in 8-bit integers, and a head that makes up for what they lose.

Rounding moves each channel of the feature map by a little that is nearly the same for all images.
The head reads the channels' means, so its weights can take that back at no cost: the quantised
features are given the mean and the spread that the original ones have on the calibration images,
and this map is folded into the first dense layer. It is the correction of biases of Nagel et al.
(ICCV 2019, arXiv:1906.04721), at the one place where it costs nothing. On MobileNetV2 it halves
the share of labels that change.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.export.conversion import quietly, to_onnx
from mri_tumor.runtime.engines import open_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras
    from numpy.typing import NDArray

# A channel that hardly varies tells nothing of its scale; nor may one image in a hundred.
_SCALES = (0.5, 2.0)
_BATCH = 16


def quantise(
    format: str,
    model: keras.Model,
    original: Callable[[NDArray[Any]], Any],
    ranges: NDArray[np.uint8],
) -> bytes:
    """Return a network in 8-bit integers; the model's head is changed to suit it.

    Parameters
    ----------
    format : {"litert-int8", "onnx-int8"}
        What to write.
    model : keras.Model
        From `answering_model`; the weights of its layer ``hidden`` are changed.
    original : callable
        The model's outputs and feature map, as they were.
    ranges : ndarray of uint8, shape (n, size, size, 3)
        Images that set the ranges of the integers.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ExportError
        If a layer has no counterpart there.
    """
    convert = _to_litert_int8 if format == "litert-int8" else _to_onnx_int8
    first = convert(model, ranges)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        path.write_bytes(first)
        network = open_engine(format, path, size=ranges.shape[1])
        wanted, found = _pooled(original, ranges), _pooled(network, ranges)
    _correct_head(model, wanted, found)
    return convert(model, ranges)


def channel_correction(
    wanted: NDArray[np.floating[Any]], found: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the scale and the shift that give features the mean and spread of others.

    Parameters
    ----------
    wanted, found : ndarray of float, shape (n, channels)
        Pooled features of the same images.

    Returns
    -------
    scale, shift : ndarray of float64, shape (channels,)
        ``scale * found + shift`` has the mean of `wanted`, and its standard deviation as far as
        the scale may go, which is from 0.5 to 2.
    """
    spread = found.std(axis=0)
    scale = np.ones(found.shape[1])
    np.divide(wanted.std(axis=0), spread, out=scale, where=spread > 1e-6)
    scale = np.clip(scale, *_SCALES)
    return scale, wanted.mean(axis=0) - scale * found.mean(axis=0)


def _pooled(
    network: Callable[[NDArray[Any]], Any], values: NDArray[np.uint8]
) -> NDArray[np.float64]:
    parts = [
        network(values[start : start + _BATCH])[1].mean(axis=(1, 2), dtype=np.float64)
        for start in range(0, len(values), _BATCH)
    ]
    return np.concatenate(parts)


def _correct_head(
    model: keras.Model, wanted: NDArray[np.float64], found: NDArray[np.float64]
) -> None:
    """Fold the correction of the pooled features into the first dense layer."""
    from mri_tumor.explain.pooled_head import read_pooled_head

    head = read_pooled_head(_classifier(model))
    scale, shift = channel_correction(wanted, found)
    kernel = head.w1.astype(np.float64)
    model.get_layer("hidden").set_weights(
        [(scale[:, None] * kernel).astype(np.float32), (head.b1 + shift @ kernel).astype("f")]
    )


def _classifier(model: keras.Model) -> keras.Model:
    import keras

    return keras.Model(model.input, model.outputs[0])


def _to_litert_int8(model: keras.Model, ranges: NDArray[np.uint8]) -> bytes:
    import tensorflow as tf

    def images() -> Iterator[list[NDArray[np.float32]]]:
        for values in ranges:
            yield [values[None].astype(np.float32)]

    with quietly("LiteRT"):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = images
        return bytes(converter.convert())


def _to_onnx_int8(model: keras.Model, ranges: NDArray[np.uint8]) -> bytes:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):
        """Gives the images one after the other."""

        def __init__(self) -> None:
            self._rows = iter(ranges)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            values = next(self._rows, None)
            return None if values is None else {"image": values[None].astype(np.float32)}

    whole = to_onnx(model)
    with quietly("ONNX"), tempfile.TemporaryDirectory() as folder:
        source, plain, small = (Path(folder) / f"{name}.onnx" for name in "abc")
        source.write_bytes(whole)
        quant_pre_process(str(source), str(plain), skip_symbolic_shape=True)
        quantize_static(
            str(plain),
            str(small),
            Images(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        return small.read_bytes()
