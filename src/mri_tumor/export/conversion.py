"""Write a Keras model as the network file of another runtime."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import ExportError
from mri_tumor.framework import silent_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras


def to_litert(model: keras.Model) -> bytes:
    """Return a ``.tflite`` file: weights stored as float16, computed with in float32.

    Parameters
    ----------
    model : keras.Model
        From `answering_model`.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ExportError
        If a layer has no counterpart there.
    """
    import tensorflow as tf

    with quietly("LiteRT"):
        # `from_concrete_functions` writes a file without its weights (TensorFlow 2.21).
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())


def to_onnx(model: keras.Model) -> bytes:
    """Return an ``.onnx`` file in float32, for any number of images; as `to_litert`."""
    with quietly("ONNX"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.export(path, format="onnx", verbose=False)
        return path.read_bytes()


def to_openvino(model: keras.Model) -> dict[str, bytes]:
    """Return ``model.xml`` and ``model.bin``, weights stored as float16; as `to_litert`."""
    import openvino

    lite = to_litert(model)
    with quietly("OpenVINO"), tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "model.tflite", Path(folder) / "model.xml"
        source.write_bytes(lite)
        openvino.save_model(
            openvino.Core().read_model(str(source)), str(target), compress_to_fp16=True
        )
        return {path.name: path.read_bytes() for path in (target, target.with_suffix(".bin"))}


def to_saved_model(model: keras.Model) -> dict[str, bytes]:
    """Return the files of TensorFlow's SavedModel, for its serving; as `to_litert`."""
    with quietly("SavedModel"), tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "saved_model"
        model.export(target, format="tf_saved_model", verbose=False)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(target.rglob("*"))
            if path.is_file()
        }


@contextlib.contextmanager
def quietly(what: str) -> Iterator[None]:
    """Convert without the converters' notes, and turn their errors into ours."""
    # Keras prints to standard output what it has written, with a line for each weight.
    with warnings.catch_warnings(), silent_stderr(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        except ExportError:
            raise
        except Exception as error:  # every converter has its own kinds
            raise ExportError(_reason(what, error)) from error


def _reason(what: str, error: Any) -> str:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return f"The model cannot be converted to {what}: {first}. Choose another format."
