"""How far to trust a model's maps, in one call."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.baselines import BASELINES, baseline_maps
from mri_tumor.explain.checks import real, whole
from mri_tumor.explain.core import Job, pin, prepare
from mri_tumor.explain.faithfulness import deletion_curve, insertion_curve
from mri_tumor.explain.measures import best_iou, box_mask, energy_inside, peak_distance
from mri_tumor.explain.randomisation import RandomisationCheck, randomisation_check
from mri_tumor.explain.registry import explain_batch, get_method, method_options
from mri_tumor.explain.report_card import ExplanationReport, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from mri_tumor.explain.targets import Targets


@dataclass(frozen=True, eq=False)
class _Subject:
    """A Keras model with its input, and the way back to the pixels that regions are given in."""

    model: Any
    values: NDArray[Any]
    names: Sequence[str] | None
    negative: int | str | None
    originals: Any
    back: Callable[[int, NDArray[np.float32]], NDArray[np.float32]]


def explanation_report(
    model: Any,
    images: Any,
    *,
    methods: str | Sequence[str] = "grad_cam",
    target: Any = None,
    boxes: Any = None,
    masks: Any = None,
    labels: Sequence[str] | None = None,
    tolerance: float = 0.1,
    steps: int = 28,
    curve_images: int = 64,
    randomisation: int = 16,
    baselines: Sequence[str] = BASELINES,
    options: Mapping[str, Mapping[str, Any]] | None = None,
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
    methods : str or sequence of str, default="grad_cam"
        Names of methods.
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
    options : mapping of str to mapping, optional
        Options by method, such as ``{"layer_cam": {"strides": (8, 16, 32)}}``.
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
    subject = _subject(model, images, class_names, negative_class)
    count = len(subject.values)
    if count == 0:
        raise ParameterError("images: a report needs at least one")
    names = [get_method(one).__name__ for one in _listed(methods)]
    regions = _regions(subject, boxes, masks)
    if labels is not None and len(labels) != count:
        raise ParameterError(f"labels: {len(labels)} for {count} images")
    tolerance = real("tolerance", tolerance, low=0.0, high=1.0)
    steps = whole("steps", steps, low=0)
    curve_images = whole("curve_images", curve_images, low=1)
    whole("randomisation", randomisation, low=0)
    unknown = sorted(set(baselines).difference(BASELINES))
    if unknown:
        raise ParameterError(f"baselines: unknown {unknown[0]!r}; use {', '.join(BASELINES)}")
    chosen_options = _options(names, options or {})
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
    for name in (*names, *baselines):
        given = chosen_options.get(name, {})
        maps, speed[name] = _maps(name, subject, target, {**common, **given})
        for index, values in enumerate(maps):
            row: dict[str, Any] = {"method": name, "image": index, "empty": not values.any()}
            row["label"] = None if labels is None else str(labels[index])
            if regions is not None:
                row.update(_meet(name, subject, index, values, regions[index]))
            if steps and index in drawn:
                asked = ends[index // batch_size][index % batch_size : index % batch_size + 1]
                row.update(_follow(job, index, values, asked, steps))
            rows.append(row)
    return ExplanationReport(
        n_images=count,
        tolerance=tolerance,
        steps=steps,
        options={name: dict(chosen_options.get(name, {})) for name in names},
        summary=summarise(rows, speed, tolerance),
        randomisation=_checks(
            subject, names, target, common=common, options=chosen_options, count=randomisation
        ),
        images=tuple(rows),
    )


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _options(
    names: Sequence[str], options: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Check all options before the long work begins."""
    result = {get_method(name).__name__: dict(given) for name, given in options.items()}
    for name, given in result.items():
        if name not in names:
            raise ParameterError(f"options: {name!r} is not among the methods {', '.join(names)}")
        unknown = sorted(set(given).difference(method_options(name)))
        if unknown:
            raise ParameterError(f"options: {name!r} takes no {unknown[0]!r}")
    return result


def _subject(
    model: Any, images: Any, class_names: Sequence[str] | None, negative: int | str | None
) -> _Subject:
    if hasattr(model, "model_") and hasattr(model, "prepare"):
        values, geometries, originals = model.prepare(images)
        return _Subject(
            model.model_,
            values,
            [str(name) for name in model.classes_],
            getattr(model, "negative_class_", negative),
            originals,
            lambda index, one: geometries[index].to_original(one),
        )
    values = np.asarray(images)
    return _Subject(model, values, class_names, negative, values, lambda _, one: one)


def _regions(subject: _Subject, boxes: Any, masks: Any) -> list[NDArray[np.bool_]] | None:
    if boxes is not None and masks is not None:
        raise ParameterError("boxes and masks: pass one of them, not both")
    given = boxes if boxes is not None else masks
    if given is None:
        return None
    count = len(subject.values)
    if len(given) != count:
        raise ParameterError(f"boxes or masks: {len(given)} for {count} images")
    shapes = [image.shape[:2] for image in subject.originals]
    if boxes is not None:
        return [box_mask(box, shape) for box, shape in zip(boxes, shapes, strict=True)]
    regions = [np.asarray(mask) for mask in masks]
    for index, (region, shape) in enumerate(zip(regions, shapes, strict=True)):
        if region.shape != shape or region.dtype != np.bool_ or not region.any():
            raise ParameterError(
                f"masks: number {index} should be bool of shape {shape} and mark at least a pixel, "
                f"got {region.dtype} of shape {region.shape}"
            )
    return regions


def _part(target: Any, count: int) -> Any:
    """Return the targets of the first images."""
    single = target is None or isinstance(target, str) or np.ndim(target) == 0
    return target if single else list(target)[:count]


def _maps(
    name: str, subject: _Subject, target: Any, given: dict[str, Any]
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
    subject: _Subject,
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
    subject: _Subject,
    names: Sequence[str],
    target: Any,
    *,
    common: dict[str, Any],
    options: dict[str, dict[str, Any]],
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
        randomisation_check(
            subject.model,
            subject.values[chosen],
            method=name,
            target=each,
            **common,
            **options.get(name, {}),
        )
        for name in names
    )
