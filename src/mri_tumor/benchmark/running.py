"""Run a benchmark: train what is not finished yet, time it, and lay it out."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.benchmark.cells import run_cell
from mri_tumor.benchmark.folder import BenchmarkFolder
from mri_tumor.benchmark.plan import IMAGENET, plan_cells, settings_of
from mri_tumor.benchmark.result import BenchmarkResult
from mri_tumor.benchmark.speed import measure_speeds
from mri_tumor.benchmark.summary import summarise
from mri_tumor.classifier import TumorClassifier
from mri_tumor.data.overlap import SeenImages
from mri_tumor.data.splits import SPLITS, LeakWarning
from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.render import show_number
from mri_tumor.labelled import fingerprints, images_behind
from mri_tumor.training.parameters import is_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from mri_tumor.backbones import BackboneSpec
    from mri_tumor.benchmark.plan import Cell, Weights
    from mri_tumor.benchmark.records import CellResult
    from mri_tumor.data import Dataset


def run_benchmark(
    data: Dataset,
    backbones: Sequence[str | BackboneSpec] = ("MobileNetV2",),
    *,
    output: str | os.PathLike[str],
    seeds: int | Sequence[int] = 3,
    weights: Weights | Mapping[str, Weights] = IMAGENET,
    threads: int | Sequence[int] = (1, 2),
    n_bootstrap: int = 1000,
    say: Callable[[str], Any] = lambda _text: None,
    **parameters: Any,
) -> BenchmarkResult:
    """Train several backbones by the same recipe on the same split, and compare them.

    Research software, not a medical device.

    Every backbone is trained once for each seed. What is finished stays in the output folder:
    a benchmark that was stopped, or killed, goes on by the same call, and more backbones or
    seeds can be asked for later. A cell that fails is told in the table, and tried again by the
    next call; the others go on. Speeds are measured at the end, for all backbones in turn; remove
    ``speed.json`` to measure them again, such as when the machine is free.

    Parameters
    ----------
    data : Dataset
        Images from `load_dataset`. Its parts are used; one without parts is divided by group.
    backbones : sequence of str or BackboneSpec, default=("MobileNetV2",)
        What to compare; the others are compared with the first.
    output : path
        Folder of the benchmark. It gets ``benchmark.csv``, ``cells.csv``, ``benchmark.md``,
        ``benchmark.json`` and ``accuracy-latency.png``, and every trained model below ``cells``.
    seeds : int or sequence of int, default=3
        How many trainings of each, or their seeds. The split does not depend on them.
    weights : str, path, None, or a mapping of these by backbone, default="imagenet"
        What the backbones start from. In a mapping, ``"imagenet"`` for those not named. Only
        backbones from ImageNet weights enter the Pareto front.
    threads : int or sequence of int, default=(1, 2)
        Threads to time with; the first decides the Pareto front.
    n_bootstrap : int, default=1000
        Resamples for the intervals, over groups.
    say : callable, optional
        Told each step, in words.
    **parameters
        Those of `TumorClassifier` that make the recipe, such as ``epochs=20``.

    Returns
    -------
    BenchmarkResult
        Tables and picture.

    Raises
    ------
    CheckpointError
        If a benchmark with other settings is in the folder, or is running there.
    DataError
        If a part of the data is empty.
    ParameterError
        If an argument is out of range or not known.

    Examples
    --------
    >>> from mri_tumor import load_dataset, run_benchmark
    >>> data = load_dataset("scans/", split="new")  # doctest: +SKIP
    >>> print(run_benchmark(data, ["MobileNetV2", "EfficientNetB0"], output="bench",
    ...                     weights={"EfficientNetB0": None}))  # doctest: +SKIP
    """
    threads = list(threads) if isinstance(threads, Iterable) else [threads]
    if not threads or not all(is_whole(count, 1) for count in threads):
        raise ParameterError(f"threads: must be numbers of 1 or more. Received: {threads!r}")
    if not is_whole(n_bootstrap, 0):
        raise ParameterError(
            f"n_bootstrap: must be a whole number, 0 or more. Received: {n_bootstrap!r}"
        )
    cells = plan_cells(backbones, seeds, weights)
    data = _divided(data)
    settings = settings_of(data, _recipe(parameters), n_bootstrap)
    seen = _seen(cells, data)
    with BenchmarkFolder(output, settings) as folder:
        results = []
        for number, cell in enumerate(cells, 1):
            step = (
                f"[{number} of {len(cells)}] {cell.name} ({cell.started_from}), seed {cell.seed}"
            )
            found = folder.read(cell.key)
            if found is not None and found.finished:
                say(f"{step}: finished before")
            else:
                say(f"{step}: training on {len(data.train):,} images")
                place = folder.cell(cell.key)
                found = run_cell(cell, data, parameters, place, n_bootstrap=n_bootstrap)
                folder.keep(found)
                say(f"{step}: {_outcome(found)}")
            results.append(found)
        speed = measure_speeds(folder, results, data.test.paths[0], threads, say=say)
        result = BenchmarkResult(
            rows=summarise(results, speed, data, threads=threads[0], n_bootstrap=n_bootstrap),
            settings=folder.settings,
            data=_described(data) | {"seen_by_brain_mri": seen},
            machine=speed.get("machine", {}),
            threads=tuple(threads),
        )
        result.save(folder.path)
    return result


def _seen(cells: Sequence[Cell], data: Dataset) -> str:
    """Say how many test images the packaged weights were made with, if a cell starts from them."""
    if all(cell.started_from != "brain-mri" for cell in cells):
        return ""
    overlap = SeenImages.from_dict(images_behind("brain-mri")).overlap(fingerprints(data.test))
    if not overlap:
        return ""
    warnings.warn(str(overlap), LeakWarning, stacklevel=3)
    return str(overlap)


def _outcome(found: CellResult) -> str:
    if found.report is None:
        return f"failed: {found.problem}"
    return f"accuracy {show_number(found.report.accuracy)}"


def _recipe(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of the recipe, once they are found to be in range."""
    known = set(TumorClassifier().get_params()) - {"backbone", "weights", "seed"}
    if strange := sorted(set(parameters) - known):
        message = (
            f"{strange[0]}: is no parameter of the recipe. Choose from {', '.join(sorted(known))}."
        )
        raise ParameterError(message)
    classifier = TumorClassifier(**parameters)
    classifier._check_parameters()
    recipe: dict[str, Any] = classifier.get_params(deep=False)
    return recipe


def _divided(data: Dataset) -> Dataset:
    """Return the data with its three parts."""
    if not any(data.splits):
        data = data.split()
    for part in SPLITS:
        if part not in data.splits:
            message = f"data: has no {part} part. Pass data.split(), or load it with split='new'."
            raise DataError(message)
    return data


def _described(data: Dataset) -> dict[str, Any]:
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    return {
        "fingerprint": data.fingerprint,
        "classes": list(data.classes),
        "images": {name: len(part) for name, part in parts.items()},
        "groups": {name: len(np.unique(part.groups)) for name, part in parts.items()},
        "leaks": str(data.leaks) if data.leaks else "",
    }
