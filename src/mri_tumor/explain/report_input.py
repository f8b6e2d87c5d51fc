"""What an explanation report works on: images, regions and methods, checked before the long work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.explain.measures import box_mask
from mri_tumor.explain.registry import get_method, method_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Subject:
    """A Keras model with its input, and the way back to the pixels that regions are given in."""

    model: Any
    values: NDArray[Any]
    names: Sequence[str] | None
    negative: int | str | None
    originals: Any
    back: Callable[[int, NDArray[np.float32]], NDArray[np.float32]]


def read_subject(
    model: Any, images: Any, class_names: Sequence[str] | None, negative: int | str | None
) -> Subject:
    """Prepare images where a classifier does so; take a Keras model's input as it is."""
    if hasattr(model, "model_") and hasattr(model, "prepare"):
        values, geometries, originals = model.prepare(images)
        return Subject(
            model.model_,
            values,
            [str(name) for name in model.classes_],
            getattr(model, "negative_class_", negative),
            originals,
            lambda index, one: geometries[index].to_original(one),
        )
    values = np.asarray(images)
    return Subject(model, values, class_names, negative, values, lambda _, one: one)


def read_regions(subject: Subject, boxes: Any, masks: Any) -> list[NDArray[np.bool_]] | None:
    """Bring boxes or masks to one mask per image, in the original images' pixels."""
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


def read_methods(methods: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """Bring the methods asked for to one form, and check their options.

    Parameters
    ----------
    methods : str, sequence of str, or mapping of str to mapping
        Names, or options by label; the option ``"method"`` names the method where the label does
        not.

    Returns
    -------
    dict of str to tuple
        Method and options by label.

    Raises
    ------
    ParameterError
        If a method does not exist or does not take an option.
    """
    if isinstance(methods, str):
        methods = [methods]
    given = methods if isinstance(methods, Mapping) else {name: {} for name in methods}
    result = {}
    for label, options in given.items():
        rest = dict(options)
        name = get_method(rest.pop("method", label)).__name__
        unknown = sorted(set(rest).difference(method_options(name)))
        if unknown:
            raise ParameterError(f"methods: {name!r} takes no {unknown[0]!r}")
        # A name may be spelled in several ways; a label of one's own stays as it is.
        result[name if "method" not in options else str(label)] = (name, rest)
    if not result:
        raise ParameterError("methods: name at least one")
    return result
