"""Which class is to be explained, per image. Needs NumPy alone."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError, suggestion
from mri_tumor.labels import NEGATIVE, UNKNOWN_TUMOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIKELIEST_TUMOR = "likeliest_tumor"

Target = int | str | None | Sequence[int | str | None]


@dataclass(frozen=True, eq=False)
class Targets:
    """The classes to explain, as the core computes them.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_images, n_classes)
        The classes that a target is about, at least one per image.
    summed : ndarray of bool, shape (n_images,)
        True: all classes of the mask taken together (the sum of their probabilities). False: the
        likeliest one of them.
    """

    mask: NDArray[np.bool_]
    summed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, part: slice) -> Targets:
        return Targets(self.mask[part], self.summed[part])

    def repeat(self, count: int) -> Targets:
        """Return these targets `count` times over."""
        return Targets(np.repeat(self.mask, count, axis=0), np.repeat(self.summed, count))


def resolve_targets(
    target: Any,
    *,
    n_images: int,
    n_classes: int,
    class_names: Sequence[str] | None = None,
    negative_class: int | str | None = None,
) -> Targets:
    """Turn what a user asks for into masks over the classes.

    Parameters
    ----------
    target : int, str, None, or a sequence of these with one entry per image
        - ``None``: each image's likeliest class.
        - an index, or a name of `class_names`: that class. For a model with one sigmoid unit, 1 is
          the class of a high output and 0 the other one.
        - ``"tumor"``, where no class has that name: all classes but `negative_class` together, that
          is, the sum of their probabilities.
        - ``"likeliest_tumor"``: each image's likeliest class other than `negative_class`.
    n_images, n_classes : int
        Sizes; a model with one sigmoid unit has two classes.
    class_names : sequence of str, optional
        Names in the order of the model's outputs.
    negative_class : int or str, optional
        The class that means *no tumor*; by default ``"notumor"`` where `class_names` has it.

    Returns
    -------
    Targets
        Masks, one row per image.

    Raises
    ------
    ParameterError
        If a class is unknown, the names do not fit the model, or a sequence has another length
        than there are images.
    """
    names = None if class_names is None else [str(name) for name in class_names]
    if names is not None and (len(names) != n_classes or len(set(names)) != n_classes):
        raise ParameterError(
            f"class_names: expected {n_classes} different names for this model, got {names}"
        )
    if negative_class is None and names is not None and NEGATIVE in names:
        negative_class = NEGATIVE
    each = _per_image(target, n_images)
    mask = np.zeros((n_images, n_classes), bool)
    summed = np.zeros(n_images, bool)
    for row, one in enumerate(each):
        if one is None:
            mask[row] = True
        elif _means_tumor(one, names):
            mask[row] = True
            mask[row, _index(negative_class, names, n_classes, "negative_class")] = False
            summed[row] = one == UNKNOWN_TUMOR
        else:
            mask[row, _index(one, names, n_classes, "target")] = True
    return Targets(mask, summed)


def _per_image(target: Any, n_images: int) -> list[Any]:
    if target is None or isinstance(target, str) or np.ndim(target) == 0:
        return [target] * n_images
    each = list(target)
    if len(each) != n_images:
        raise ParameterError(f"target: {len(each)} entries for {n_images} images")
    return each


def _means_tumor(target: Any, names: list[str] | None) -> bool:
    if not isinstance(target, str) or (names is not None and target in names):
        return False
    return target in (UNKNOWN_TUMOR, LIKELIEST_TUMOR)


def _index(label: Any, names: list[str] | None, n_classes: int, argument: str) -> int:
    if label is None:
        raise ParameterError(
            f"{argument}: to explain 'tumor', say which class means no tumor, by index or by name"
        )
    if isinstance(label, str):
        if names is None:
            raise ParameterError(
                f"{argument}: {label!r} is a name, but the classes' names are not known here; pass "
                "class_names=, or an index"
            )
        if label not in names:
            hint = suggestion(label, names)
            known = ", ".join(names)
            raise ParameterError(f"{argument}: no class {label!r};{hint} use one of {known}")
        return names.index(label)
    try:
        index = operator.index(label)
    except TypeError:
        index = -1
    if isinstance(label, bool) or not 0 <= index < n_classes:
        raise ParameterError(
            f"{argument}: expected a class name or an index from 0 to {n_classes - 1}, got {label!r}"
        )
    return index


def target_names(
    targets: Targets, chosen: NDArray[np.integer], class_names: Sequence[str] | None
) -> tuple[str, ...]:
    """Name what was explained in each image.

    Parameters
    ----------
    targets : Targets
        What was asked for.
    chosen : ndarray of int, shape (n_images,)
        The likeliest class of each mask.
    class_names : sequence of str, optional
        Names in the order of the model's outputs.

    Returns
    -------
    tuple of str
        A class's name (its index as text where names are not known), or ``"tumor"``.
    """
    return tuple(
        UNKNOWN_TUMOR if both else (str(index) if class_names is None else str(class_names[index]))
        for both, index in zip(targets.summed, chosen.tolist(), strict=True)
    )
