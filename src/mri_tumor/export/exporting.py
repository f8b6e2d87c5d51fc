"""Write a saved model for another runtime, with all that it needs, once it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mri_tumor.answers.stored import GATE_FILE, read_gate, read_rule
from mri_tumor.bundle import find_bundle, load_keras_model, read_bundle
from mri_tumor.bundle_writing import check_target, write_bundle
from mri_tumor.errors import ExportError, ParameterError
from mri_tumor.explain.pooled_head import read_pooled_head
from mri_tumor.export.agreement import Agreement, measure_agreement
from mri_tumor.export.conversion import (
    to_litert,
    to_onnx,
    to_openvino,
    to_saved_model,
)
from mri_tumor.export.formats import format_spec
from mri_tumor.export.pictures import calibration_and_check
from mri_tumor.export.quantisation import quantise
from mri_tumor.export.runtime_file import checked_network
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.outputs import answering_model
from mri_tumor.runtime.parts import HEAD, pack_head

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.bundle import Bundle
    from mri_tumor.gate import Gate

# What an exported model keeps of its original's metadata.
_KEPT = (
    "created", "notice", "versions", "classes", "negative_class", "threshold", "temperature",
    "conformal", "operating_point", "preprocessing", "backbone", "gate", "metrics",
    "explanation",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A model that was exported.

    Parameters
    ----------
    path : Path
        Its folder.
    format : str
        One of `FORMATS`.
    n_bytes : int
        Size of the network's files.
    agreement : Agreement
        How it answers beside its original.
    """

    path: Path
    format: str
    n_bytes: int
    agreement: Agreement

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return {
            "path": str(self.path),
            "format": self.format,
            "n_bytes": self.n_bytes,
            "agreement": self.agreement.to_dict(),
        }


def export_model(
    bundle_or_name: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    format: str = "litert",
    calibration: Any = None,
    max_changed: float = 0.005,
) -> Exported:
    """Write a saved model for another runtime, unless it would answer otherwise.

    The folder holds the network, which gives the class probabilities before temperature, the
    feature map and what the gate looks at; the head's weights, with which Grad-CAM is computed from the latter; and
    preprocessing, temperature, classes, threshold, gate and the agreement with the original in
    ``metadata.json``. `mri_tumor.runtime.load` opens it.

    Parameters
    ----------
    bundle_or_name : str or path
        Folder that `TumorClassifier.save` wrote, or the name of a model that ships.
    output : str or path
        Folder to write; an older export there is replaced, a trained model is not.
    format : str, default="litert"
        One of `FORMATS`.
    calibration : paths, array or data set, optional
        Images such as the model was trained on. A part of them sets the ranges of 8-bit integers,
        the others check the result. By default phantoms, which are good enough to check, and a
        makeshift to calibrate.
    max_changed : float, default=0.005
        Largest share of images whose label may change, in [0, 1].

    Returns
    -------
    Exported
        What was written.

    Raises
    ------
    BundleError
        If the model is missing or damaged, or the folder cannot be written.
    DataError
        If too few of the images can be read.
    ExportError
        If it cannot be converted, or too many labels change; then nothing is written.
    MissingExtraError
        If a package is missing.
    ParameterError
        If the format is unknown, or `max_changed` out of range.
    """
    if not 0 <= max_changed <= 1:
        raise ParameterError(f"max_changed: must be from 0 to 1. Received: {max_changed!r}")
    spec = format_spec(format)
    bundle = read_bundle(find_bundle(bundle_or_name))
    check_target(output, for_export=True)
    settings = Preprocessing.from_dict(bundle.metadata["preprocessing"])
    rule = read_rule(bundle)
    model = load_keras_model(bundle)
    ranges, held_back, what = calibration_and_check(
        calibration, settings, quantised=spec.quantised
    )
    from mri_tumor.training.compiled import frozen_function

    gate = read_gate(bundle)
    both = answering_model(model, gate_layer=None if gate is None else gate.layer)
    original = frozen_function(both)
    weights, files = _network(format, both, original, ranges)
    agreement = _checked(format, original, files, held_back, rule=rule, images=what, gate=gate)
    changed = 1 - min(agreement.same_label, agreement.same_refusal)
    if changed > max_changed:
        message = (
            f"{output}: was not written. As {format}, the model changes the label of "
            f"{1 - agreement.same_label:.2%} and refuses or answers otherwise for "
            f"{1 - agreement.same_refusal:.2%} "
            f"of {agreement.n_images} images ({what}), more than the {max_changed:.2%} allowed. "
            "Calibrate with images such as it was trained on (--calibration SCANS), choose "
            "another format, or allow more (--max-changed)."
        )
        raise ExportError(message)
    return _write(
        bundle,
        output,
        format=format,
        model=model,
        files=files,
        agreement=agreement,
        weights=weights,
    )


def _network(
    format: str,
    model: keras.Model,
    original: Callable[[NDArray[Any]], Any],
    ranges: NDArray[Any],
) -> tuple[str, dict[str, bytes]]:
    """Return how the weights are stored, and the network's files."""
    if format == "litert":
        return "float16", {"model.tflite": to_litert(model)}
    if format == "onnx":
        return "float32", {"model.onnx": to_onnx(model)}
    if format == "openvino":
        return "float16", to_openvino(model)
    if format == "saved-model":
        return "float32", to_saved_model(model)
    return "int8", {format_spec(format).file: quantise(format, model, original, ranges)}


def _checked(
    format: str,
    original: Callable[[NDArray[Any]], Any],
    files: dict[str, bytes],
    values: NDArray[Any],
    *,
    rule: DecisionRule,
    images: str,
    gate: Gate | None,
) -> Agreement:
    if format == "saved-model":
        return measure_agreement(original, _serving(files), values, rule, images=images, gate=gate)
    engine = format_spec(format).engine
    return checked_network(original, files, values, rule, engine=engine, images=images, gate=gate)


def _serving(files: dict[str, bytes]) -> Callable[[NDArray[Any]], tuple[Any, ...]]:
    """Return what a SavedModel answers."""
    import tempfile
    from pathlib import Path

    import numpy as np
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        served = tf.saved_model.load(str(Path(folder) / "saved_model"))

    def run(values: NDArray[Any]) -> tuple[Any, ...]:
        found = [one.numpy() for one in served.serve(tf.constant(values.astype(np.float32)))]
        outputs, *features, maps = sorted(found, key=lambda array: array.ndim)
        return outputs, maps, *features

    return run


def _write(
    bundle: Bundle,
    output: str | os.PathLike[str],
    *,
    format: str,
    model: keras.Model,
    files: dict[str, bytes],
    agreement: Agreement,
    weights: str,
) -> Exported:
    spec = format_spec(format)
    entry = {"file": spec.file, "weights": weights, "agreement": agreement.to_dict()}
    content = {name: bundle.metadata[name] for name in _KEPT if name in bundle.metadata}
    beside = {HEAD: pack_head(read_pooled_head(model))}
    if GATE_FILE in bundle.metadata["files"]:
        beside[GATE_FILE] = (bundle.path / GATE_FILE).read_bytes()
    written = write_bundle(
        output, None, {**content, "runtimes": {format: entry}}, files={**files, **beside}
    )
    return Exported(
        path=written.path,
        format=format,
        n_bytes=sum(map(len, files.values())),
        agreement=agreement,
    )
