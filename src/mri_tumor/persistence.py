"""Turn a fitted classifier into a bundle and back."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor import __version__
from mri_tumor.answers.stored import gate_files, read_gate, read_rule
from mri_tumor.backbones import BackboneSpec, get_backbone
from mri_tumor.backbones.registry import absent_backbone
from mri_tumor.bundle import load_keras_model, read_bundle
from mri_tumor.bundle_writing import write_bundle
from mri_tumor.errors import BackboneError, BundleError
from mri_tumor.explain.options import EXPLANATION
from mri_tumor.images.preprocessing import Preprocessing

if TYPE_CHECKING:
    from mri_tumor.classifier import TumorClassifier


def save(
    classifier: TumorClassifier,
    path: str | os.PathLike[str],
    *,
    half_precision: bool = False,
    runtime: bool = False,
    extra: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a fitted classifier as a bundle.

    Parameters
    ----------
    classifier : TumorClassifier
        The classifier.
    path : str or path
        Folder to write.
    half_precision : bool, default=False
        Store the weights as float16.
    runtime : bool, default=False
        Also write what `mri_tumor.runtime` and the command line need to answer without
        TensorFlow; converting takes some seconds.
    extra : mapping, optional
        More metadata, such as figures of an evaluation.
    files : mapping of str to bytes, optional
        More files by their place in the bundle.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    BundleError
        If it cannot be written.
    ExportError
        If `runtime` is set and the model cannot be converted.
    """
    spec = classifier.backbone_
    gate, gate_content = gate_files(classifier.gate_)
    metadata = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "notice": "Research software, not a medical device.",
        "versions": {
            "mri-tumor": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("keras", "tensorflow", "numpy", "pillow")},
        },
        **classifier.rule_.to_dict(),
        "preprocessing": classifier.preprocessing_.to_dict(),
        "backbone": {
            "name": spec.name,
            "package": spec.package,
            "options": dict(spec.options),
            "finetune_layers": spec.finetune_layers,
        },
        "parameters": _plain_parameters(classifier),
        "history": classifier.history_,
        "data": getattr(classifier, "data_", {}),
        "metrics": getattr(classifier, "metrics_", {}),
        "explanation": getattr(classifier, "explanation_", EXPLANATION),
        **gate,
        **(extra or {}),
    }
    network: dict[str, bytes] = {}
    if runtime:
        from mri_tumor.export.runtime_file import runtime_files

        named, network = runtime_files(
            classifier.model_, classifier.rule_, classifier.preprocessing_, classifier.gate_
        )
        metadata.update(named)
    bundle = write_bundle(
        path,
        classifier.model_,
        metadata,
        half_precision=half_precision,
        files={**gate_content, **network, **(files or {})},
    )
    return bundle.path


def load(cls: type[TumorClassifier], path: str | os.PathLike[str]) -> TumorClassifier:
    """Read a classifier from a bundle.

    Parameters
    ----------
    cls : type
        Class to make.
    path : str or path
        Folder of the bundle.

    Returns
    -------
    TumorClassifier
        Fitted.

    Raises
    ------
    BundleError
        If the bundle is missing, damaged, unsafe, or does not hold together.
    """
    bundle = read_bundle(path)
    content = bundle.metadata
    known = set(cls().get_params())
    parameters = {k: v for k, v in (content.get("parameters") or {}).items() if k in known}
    try:
        classifier = cls(**{"backbone": str(content["backbone"]["name"]), **parameters})
        classifier.rule_ = read_rule(bundle)
        classifier.classes_ = np.array(classifier.rule_.classes)
        classifier.negative_class_ = classifier.rule_.negative_class
        classifier.preprocessing_ = Preprocessing.from_dict(content["preprocessing"])
        classifier.history_ = {k: list(v) for k, v in content.get("history", {}).items()}
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        message = f"{bundle.path}: its metadata.json does not hold together ({error}). Save the model again."
        raise BundleError(message) from error
    classifier.data_ = dict(content.get("data") or {})
    classifier.metrics_ = dict(content.get("metrics") or {})
    classifier.explanation_ = str(content.get("explanation", EXPLANATION))
    classifier.model_ = load_keras_model(bundle)
    classifier.gate_ = read_gate(bundle)
    classifier.backbone_ = _backbone(content["backbone"])
    classifier.bundle_ = bundle
    classifier._forget()
    return classifier


def _backbone(content: Mapping[str, Any]) -> BackboneSpec:
    """Return the backbone of a bundle; one whose plugin is absent still predicts."""
    try:
        return get_backbone(str(content["name"]))
    except BackboneError:
        return absent_backbone(
            str(content["name"]),
            package=content.get("package", ""),
            finetune_layers=content.get("finetune_layers"),
        )


def _plain_parameters(classifier: TumorClassifier) -> dict[str, Any]:
    """Return the parameters that JSON can hold; callables and specs are left out."""
    plain: dict[str, Any] = {}
    for name, value in classifier.get_params(deep=False).items():
        if name == "backbone":
            plain[name] = classifier.backbone_.name
        elif name == "cache":
            plain[name] = bool(value)  # its place is that of one machine
        elif isinstance(value, os.PathLike) or (name == "weights" and isinstance(value, str)):
            # The place of a file on one machine says nothing on another, and may name a person.
            plain[name] = Path(value).name
        elif value is None or isinstance(value, (str, int, float, bool)):
            plain[name] = value
        elif isinstance(value, Mapping):
            plain[name] = {str(key): float(number) for key, number in value.items()}
    return plain
