"""How far to trust a model's maps, in one call."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.baselines import BASELINES, baseline_maps
from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.core import Job, pin, prepare
from mri_tumor.explain.faithfulness import deletion_curve, insertion_curve
from mri_tumor.explain.measures import best_iou, energy_inside, peak_distance
from mri_tumor.explain.randomisation import RandomisationCheck, randomisation_check
from mri_tumor.explain.registry import explain_batch
from mri_tumor.explain.report_card import ExplanationReport, summarise
from mri_tumor.explain.report_input import Subject, read_methods, read_regions, read_subject

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from mri_tumor.explain.targets import Targets


def explanation_report(
    model: Any,
    images: Any,
    *,
    methods: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = "grad_cam",
    target: Any = None,
    boxes: Any = None,
    masks: Any = None,
    labels: Sequence[str] | None = None,
    tolerance: float = 0.1,
    steps: int = 28,
    curve_images: int = 64,
    randomisation: int = 16,
    baselines: Sequence[str] = BASELINES,
    class_names: Sequence[str] | None = None,
    negative_class: int | str | None = None,
    batch_size: int = 32,
) -> ExplanationReport:
    """Measure how far to trust a model's maps.

    Parameters
    ----------
    model : keras.Model or TumorClassifier
        A classifier. A `TumorClassifier` prepares the images itself, and its maps are compared with
        the regions in the original images' pixels.
    images : array_like of shape (n, h, w, c), or what the classifier takes
        Model input for a Keras model; paths, arrays or a data set for a `TumorClassifier`.
    methods : str, sequence of str, or mapping of str to mapping, default="grad_cam"
        Names of methods, or options by label, such as ``{"grad_cam": {}, "fine": {"method":
        "layer_cam", "strides": (16, 32)}}``.
    target : int, str, None, or a sequence of these
        What is explained, as in :func:`mri_tumor.explain.grad_cam`.
    boxes : array_like of float, shape (n, 4), optional
        For each image x and y of the centre, width and height, as fractions of the image.
    masks : sequence of array_like of bool, shape (h, w), optional
        Regions instead of boxes.
    labels : sequence of str, optional
        True class of each image, to report by class too.
    tolerance : float, default=0.1
        How far from the region a peak counts as near, as a fraction of the image's sides.
    steps : int, default=28
        Points of the deletion and insertion curves; 0 leaves them out.
    curve_images : int, default=64
        Images, spread over all, that these curves are drawn for: each takes twice `steps` passes
        for every method.
    randomisation : int, default=16
        Images for the model-randomisation check; 0 leaves it out.
    baselines : sequence of {"centre", "brightest_blob"}
        Maps without a model to compare with.
    class_names, negative_class
        As in :func:`mri_tumor.explain.grad_cam`; a `TumorClassifier` knows them.
    batch_size : int, default=32
        Images per pass.

    Returns
    -------
    ExplanationReport
        Measures by method and class, and per image.

    Raises
    ------
    ImageError
        If an image cannot be used.
    ParameterError
        If regions or labels do not fit the images, or an option is unknown.
    """
    plan = read_methods(methods)
    subject = read_subject(model, images, class_names, negative_class)
    count = len(subject.values)
    if count == 0:
        raise ParameterError("images: a report needs at least one")
    regions = read_regions(subject, boxes, masks)
    if labels is not None and len(labels) != count:
        raise ParameterError(f"labels: {len(labels)} for {count} images")
    tolerance = real("tolerance", tolerance, low=0.0, high=1.0)
    steps = whole("steps", steps, low=0)
    curve_images = whole("curve_images", curve_images, low=1)
    whole("randomisation", randomisation, low=0)
    unknown = sorted(set(baselines).difference(BASELINES))
    if unknown:
        raise ParameterError(f"baselines: unknown {unknown[0]!r}; use {', '.join(BASELINES)}")
    common: dict[str, Any] = {
        "batch_size": batch_size,
        "class_names": subject.names,
        "negative_class": subject.negative,
    }
    job = prepare(subject.model, subject.values, target=target, **common)
    ends = [
        pin(part, job.engine.run(batch, part, differentiate=False).chosen)
        for batch, part in job.batches()
    ]
    drawn = set(np.linspace(0, count - 1, min(curve_images, count)).round().astype(int).tolist())
    rows: list[dict[str, Any]] = []
    speed: dict[str, float | None] = {}
    for name in (*plan, *baselines):
        method, given = plan.get(name, (name, {}))
        maps, speed[name] = _maps(method, subject, target, {**common, **given})
        for index, values in enumerate(maps):
            row: dict[str, Any] = {"method": name, "image": index, "empty": not values.any()}
            row["label"] = None if labels is None else str(labels[index])
            if regions is not None:
                row.update(_meet(method, subject, index, values, regions[index]))
            if steps and index in drawn:
                asked = ends[index // batch_size][index % batch_size : index % batch_size + 1]
                row.update(_follow(job, index, values, asked, steps))
            rows.append(row)
    return ExplanationReport(
        n_images=count,
        tolerance=tolerance,
        steps=steps,
        options={label: {"method": name, **given} for label, (name, given) in plan.items()},
        summary=summarise(rows, speed, tolerance),
        randomisation=_checks(subject, plan, target, common=common, count=randomisation),
        images=tuple(rows),
    )


def _part(target: Any, count: int) -> Any:
    """Return the targets of the first images."""
    single = target is None or isinstance(target, str) or np.ndim(target) == 0
    return target if single else list(target)[:count]


def _maps(
    name: str, subject: Subject, target: Any, given: dict[str, Any]
) -> tuple[NDArray[np.float32], float | None]:
    """Return all maps of a method or baseline, and the images per second of a method."""
    if name in BASELINES:
        return baseline_maps(name, subject.values), None
    # Warmed up on two, so that the time says nothing about compiling.
    warm = _part(target, 2)
    explain_batch(subject.model, subject.values[:2], method=name, target=warm, **given)
    start = time.perf_counter()
    maps = explain_batch(subject.model, subject.values, method=name, target=target, **given).maps
    return maps, len(maps) / (time.perf_counter() - start)


def _meet(
    name: str,
    subject: Subject,
    index: int,
    values: NDArray[np.float32],
    region: NDArray[np.bool_],
) -> dict[str, float]:
    """Compare a map with a region, in the original image's pixels."""
    if name in BASELINES:
        placed = baseline_maps(name, np.asarray(subject.originals[index])[None])[0]
    else:
        placed = subject.back(index, values)
    iou, threshold = best_iou(placed, region)
    return {
        "distance": peak_distance(placed, region),
        "energy": energy_inside(placed, region),
        "iou": iou,
        "threshold": threshold,
    }


def _follow(
    job: Job, index: int, values: NDArray[np.float32], asked: Targets, steps: int
) -> dict[str, float]:
    """Delete and insert the pixels of one image in a map's order."""

    def score(changed: NDArray[np.float32]) -> NDArray[np.float32]:
        targets = asked.repeat(len(changed))
        return job.engine.run(changed, targets, differentiate=False).probability

    image, batch_size = job.images[index], job.batch_size
    deleted = deletion_curve(score, image, values, steps=steps, batch_size=batch_size)
    inserted = insertion_curve(score, image, values, steps=steps, batch_size=batch_size)
    return {"deletion": deleted.auc, "insertion": inserted.auc}


def _checks(
    subject: Subject,
    plan: Mapping[str, tuple[str, dict[str, Any]]],
    target: Any,
    *,
    common: dict[str, Any],
    count: int,
) -> tuple[RandomisationCheck, ...]:
    """Check each method on images spread over all that are given."""
    count = min(whole("randomisation", count, low=0), len(subject.values))
    if not count:
        return ()
    chosen = np.linspace(0, len(subject.values) - 1, count).round().astype(int)
    whole_target = _part(target, len(subject.values))
    each = [whole_target[i] for i in chosen] if isinstance(whole_target, list) else whole_target
    return tuple(
        replace(
            randomisation_check(
                subject.model,
                subject.values[chosen],
                method=name,
                target=each,
                **common,
                **given,
            ),
            method=label,
        )
        for label, (name, given) in plan.items()
    )
