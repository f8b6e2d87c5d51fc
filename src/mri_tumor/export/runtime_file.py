"""The network file that a saved model carries so that it answers without TensorFlow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.answers.stored import read_gate, read_rule
from mri_tumor.bundle import find_bundle, load_keras_model, read_bundle
from mri_tumor.bundle_writing import extend_bundle
from mri_tumor.errors import ExportError
from mri_tumor.explain.pooled_head import read_pooled_head
from mri_tumor.export.agreement import Agreement, measure_agreement
from mri_tumor.export.conversion import to_litert
from mri_tumor.export.formats import FORMATS
from mri_tumor.export.pictures import PHANTOMS, phantom_values
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.outputs import answering_model
from mri_tumor.runtime.engines import open_engine
from mri_tumor.runtime.parts import HEAD, pack_head

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    import keras
    from numpy.typing import NDArray

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.bundle import Bundle
    from mri_tumor.gate import Gate

_N_CHECKED = 16
# Half-precision weights move a probability by a few thousandths; a file without its weights, or
# with channels in another order, by far more.
_MOST_CHANGE = 0.1
_LEAST_CORRELATION = 0.98


def runtime_files(
    model: keras.Model, rule: DecisionRule, preprocessing: Preprocessing, gate: Gate | None = None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Convert a model for LiteRT, and check the file on phantoms.

    Parameters
    ----------
    model : keras.Model
        A model from `build_model`.
    rule : DecisionRule
        Makes answers of its outputs.
    preprocessing : Preprocessing
        How its images are prepared.
    gate : Gate, optional
        What it looks at is among the network's outputs.

    Returns
    -------
    metadata : dict
        What a bundle's metadata says of it.
    files : dict of str to bytes
        The network and the head's weights, by their place in a bundle.

    Raises
    ------
    ExportError
        If it cannot be converted, or the file answers otherwise than the model.
    """
    from mri_tumor.training.compiled import frozen_function

    both = answering_model(model, gate_layer=None if gate is None else gate.layer)
    content = to_litert(both)
    values = phantom_values(preprocessing, _N_CHECKED)
    found = checked_network(
        frozen_function(both), content, values, rule, engine="litert", images=PHANTOMS, gate=gate
    )
    if found.largest_change > _MOST_CHANGE or found.feature_correlation < _LEAST_CORRELATION:
        message = f"The model's LiteRT file answers otherwise than the model: {found}."
        raise ExportError(message)
    file = FORMATS["litert"].file
    entry = {"file": file, "weights": "float16", "agreement": found.to_dict()}
    head = pack_head(read_pooled_head(model))
    return {"runtimes": {"litert": entry}}, {file: content, HEAD: head}


def add_runtime(bundle_or_name: str | os.PathLike[str] = "brain-mri") -> Bundle:
    """Add to a saved model, in place, what it needs to answer without TensorFlow.

    Parameters
    ----------
    bundle_or_name : str or path, default="brain-mri"
        Folder that `TumorClassifier.save` wrote, or the name of a model that ships.

    Returns
    -------
    Bundle
        What is there now.

    Raises
    ------
    BundleError
        If the model is missing or damaged, or its folder cannot be written.
    ExportError
        As `runtime_files`.
    """
    bundle = read_bundle(find_bundle(bundle_or_name))
    metadata, files = runtime_files(
        load_keras_model(bundle),
        read_rule(bundle),
        Preprocessing.from_dict(bundle.metadata["preprocessing"]),
        read_gate(bundle),
    )
    return extend_bundle(bundle, metadata, files)


def checked_network(
    original: Callable[[NDArray[Any]], Any],
    files: bytes | Mapping[str, bytes],
    values: NDArray[Any],
    rule: DecisionRule,
    *,
    engine: str,
    images: str,
    gate: Gate | None = None,
) -> Agreement:
    """Measure how a converted network agrees, by the engine that is to run it.

    Parameters
    ----------
    original : callable
        The model's outputs and feature map.
    files : bytes, or mapping of str to bytes
        The converted network; its first file is the one to open.
    values : ndarray of uint8, shape (n, size, size, 3)
        Images.
    rule : DecisionRule
        Makes answers of outputs.
    engine : str
        One of `mri_tumor.runtime.ENGINES`.
    images : str
        What the images are.
    gate : Gate, optional
        What refuses images.

    Returns
    -------
    Agreement
        What differs.
    """
    if isinstance(files, bytes):
        files = {FORMATS[engine].file: files}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in files]
        for path, content in zip(paths, files.values(), strict=True):
            path.write_bytes(content)
        network = open_engine(engine, paths[0], size=values.shape[1])
        return measure_agreement(original, network, values, rule, images=images, gate=gate)
