"""Train one cell, and measure what it knows."""

from __future__ import annotations

import errno
import gc
import shutil
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.benchmark.multiply_adds import count_multiply_adds
from mri_tumor.benchmark.records import CellResult
from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import CheckpointError, ExportError, MRITumorError
from mri_tumor.evaluation import evaluate_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mri_tumor.benchmark.plan import Cell
    from mri_tumor.data import Dataset

MODEL = "model"
NETWORK = "model.tflite"
_TRAINING, _FEATURES = "training", "features"


def run_cell(
    cell: Cell, data: Dataset, recipe: Mapping[str, Any], folder: Path, *, n_bootstrap: int
) -> CellResult:
    """Train a cell, answer the test part, and save the model with its runtime file.

    Whatever goes wrong becomes the result's `problem`. A training that was stopped goes on from
    its last epoch.

    Parameters
    ----------
    cell : Cell
        What to train.
    data : Dataset
        With training, validation and test part.
    recipe : mapping
        Parameters of `TumorClassifier` that all cells share.
    folder : Path
        Folder of the cell.
    n_bootstrap : int
        Resamples for the intervals.

    Returns
    -------
    CellResult
        Figures, or why there are none.

    Raises
    ------
    KeyboardInterrupt
        If it is stopped.
    OSError
        If the disk is full, which no other cell could bear either.
    """
    about: dict[str, Any] = {
        "key": cell.key,
        "backbone": cell.name,
        "started_from": cell.started_from,
        "seed": cell.seed,
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")},
    }
    try:
        return CellResult(**about, **_measured(cell, data, recipe, folder, n_bootstrap))
    except Exception as error:  # a plugin can raise anything; the others go on
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        _remove_working(folder)
        first = (str(error).strip().splitlines() or [""])[0]
        kind = type(error).__name__
        problem = str(error) if isinstance(error, MRITumorError) else f"{kind}: {first}"
        return CellResult(**about, problem=problem or kind)
    finally:
        gc.collect()  # a model and its graphs hold on to each other


def _measured(
    cell: Cell, data: Dataset, recipe: Mapping[str, Any], folder: Path, n_bootstrap: int
) -> dict[str, Any]:
    classifier = TumorClassifier(
        backbone=cell.backbone, weights=cell.weights, seed=cell.seed, **recipe
    )
    if classifier.cache is True:
        # What another training has left in a shared folder would feign a quick one.
        classifier.cache = folder / _FEATURES
    seconds = _train(classifier, data, folder)
    classifier.cache = recipe.get("cache", True)
    _remove_working(folder)
    probabilities = np.asarray(classifier.predict_proba(data.test), np.float64)
    report = evaluate_predictions(
        data.test.labels,
        probabilities,
        classes=[str(name) for name in classifier.classes_],
        negative_class=classifier.negative_class_,
        threshold=classifier.threshold,
        groups=data.test.groups,
        n_bootstrap=n_bootstrap,
    )
    classifier.metrics_ = report.to_dict()
    runtime_bytes, problem = _save(classifier, folder / MODEL)
    return {
        "report": report,
        "probabilities": probabilities,
        "training_seconds": seconds,
        "n_epochs": len(classifier.history_["stage"]),
        "parameters": int(classifier.model_.count_params()),
        "multiply_adds": count_multiply_adds(classifier.model_),
        "runtime_bytes": runtime_bytes,
        "export_problem": problem,
    }


def _train(classifier: TumorClassifier, data: Dataset, folder: Path) -> float | None:
    """Train, going on with what was left there; return the seconds, None for a part of them."""
    from mri_tumor.training.checkpoint import Checkpoint

    begun = (folder / _FEATURES).exists()
    try:
        with Checkpoint(folder / _TRAINING) as kept:
            begun = begun or kept.has_progress
            started = time.perf_counter()
            classifier.fit(data.train, validation_data=data.validation, checkpoint=kept)
            seconds = time.perf_counter() - started
            kept.remove()
    except CheckpointError:
        if not begun:
            raise
        # The same images at another place, or damaged: this training can begin again.
        _remove_working(folder)
        return _train(classifier, data, folder)
    return None if begun else seconds


def _remove_working(folder: Path) -> None:
    """Remove what serves only a training that is to go on."""
    for name in (_TRAINING, _FEATURES):
        shutil.rmtree(folder / name, ignore_errors=True)


def _save(classifier: TumorClassifier, path: Path) -> tuple[int | None, str]:
    """Save the model; return the size of its LiteRT file, or why it has none."""
    try:
        classifier.save(path, runtime=True)
    except ExportError as error:
        classifier.save(path)
        return None, str(error)
    return (path / NETWORK).stat().st_size, ""
