"""Turn a report into what JSON can hold, and back."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.inputs import ScoredImages, check_scored
from mri_tumor.evaluation.render import NOTICE
from mri_tumor.evaluation.scorer import HEADLINE

if TYPE_CHECKING:
    from mri_tumor.evaluation.report import EvaluationReport

FORMAT = 1
_AS_THEY_ARE = (
    "negative_class",
    "threshold",
    "n_images",
    "n_groups",
    "n_refused",
    "n_unknown_subtype",
    "grouped",
    "intervals",
    "n_bootstrap",
    "confidence",
    "seed",
    "calibration",
)


def to_plain(report: "EvaluationReport", *, include_images: bool) -> dict[str, Any]:
    """Turn a report into numbers, lists and dictionaries; see `EvaluationReport.to_dict`."""
    plain: dict[str, Any] = {
        "format": FORMAT,
        "task": report.task,
        "classes": list(report.classes),
        "negative_class": report.negative_class,
        "threshold": report.threshold,
        "n_images": report.n_images,
        "n_groups": report.n_groups,
        "n_refused": report.n_refused,
        "n_unknown_subtype": report.n_unknown_subtype,
        "n_images_by_class": report.n_images_by_class,
        "grouped": report.grouped,
        **plainly(report.figures),
        "intervals": plainly(report.intervals),
        "n_bootstrap": report.n_bootstrap,
        "confidence": report.confidence,
        "seed": report.seed,
        "confusion_matrix": plainly(report.confusion_matrix),
        "refused_by_class": list(report.refused_by_class),
        "tumor_confusion_matrix": plainly(report.tumor_confusion_matrix),
        "calibration": plainly(report.calibration),
        "notice": NOTICE,
    }
    if include_images and report.images is not None:
        images = report.images
        plain["images"] = {
            "labels": list(images.label_names()),
            "probabilities": [
                [None if np.isnan(p) else float(p) for p in row] for row in images.probabilities
            ],
            "refused": images.refused.tolist(),
            "groups": images.groups.tolist(),
            "files": None if images.files is None else list(images.files),
        }
    return plain


def from_plain(cls: "type[EvaluationReport]", plain: Mapping[str, Any]) -> "EvaluationReport":
    """Build a report from what `to_plain` gave; see `EvaluationReport.from_dict`."""
    try:
        if plain["format"] != FORMAT:
            msg = f"evaluation format {plain['format']!r} is not {FORMAT}, the one known here"
            raise DataError(msg)
        images = plain.get("images")
        return cls(
            classes=tuple(plain["classes"]),
            figures={
                name: plain[name] for name in (*HEADLINE, "per_class", "macro", "micro", "tumor")
            },
            confusion_matrix=tuple(map(tuple, plain["confusion_matrix"])),
            refused_by_class=tuple(plain["refused_by_class"]),
            tumor_confusion_matrix=tuple(map(tuple, plain["tumor_confusion_matrix"])),
            images=None if images is None else _read_images(plain, images),
            **{name: plain[name] for name in _AS_THEY_ARE},
        )
    except (KeyError, TypeError, AttributeError, ParameterError) as error:
        msg = f"this is not an evaluation that save() wrote: {error!r}"
        raise DataError(msg) from error


def read_json(path: str | PathLike[str]) -> dict[str, Any]:
    """Read a JSON object from a file.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    dict
        The object.

    Raises
    ------
    DataError
        If the file cannot be read or holds something else.
    """
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: not a readable evaluation file: {error}"
        raise DataError(msg) from error
    if not isinstance(plain, dict):
        msg = f"{path}: not an evaluation file: it holds no JSON object"
        raise DataError(msg)
    return plain


def plainly(value: Any) -> Any:
    """Turn mappings into dictionaries and tuples into lists, all the way down."""
    if isinstance(value, Mapping):
        return {key: plainly(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plainly(item) for item in value]
    return value


def _read_images(plain: Mapping[str, Any], images: Mapping[str, Any]) -> ScoredImages:
    probabilities = [[np.nan if p is None else p for p in row] for row in images["probabilities"]]
    return check_scored(
        images["labels"],
        probabilities,
        classes=plain["classes"],
        negative_class=plain["negative_class"],
        groups=images["groups"],
        refused=images["refused"],
        files=images["files"],
    )
