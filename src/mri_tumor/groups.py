"""Groups of images that belong together: patients, and images that look alike."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import ParameterError
from mri_tumor.labels import is_missing


def number_groups(
    groups: Sequence[Hashable] | ArrayLike | None, n_images: int, *, in_order: bool = False
) -> NDArray[np.intp]:
    """Give groups numbers from 0; each image is its own group when none are given.

    Parameters
    ----------
    groups : sequence of hashable, length n_images, or None
        Patient or near-duplicate group of each image; one that is missing (None, NaN) is a group
        of its own.
    n_images : int
        How many images there are.
    in_order : bool, default=False
        Number groups that can be sorted as they sort, not as they come: then the numbers do not
        depend on the order of the images.

    Returns
    -------
    ndarray of int, shape (n_images,)
        Numbers from 0 to n_groups - 1.

    Raises
    ------
    ParameterError
        If there is not one group for each image.
    """
    if groups is None:
        return np.arange(n_images)
    given: list[Any] = groups.tolist() if hasattr(groups, "tolist") else list(_each(groups))
    if len(given) != n_images:
        msg = f"groups must have {n_images} entries, one for each image; received {len(given)}"
        raise ParameterError(msg)
    missing = [is_missing(group) for group in given]
    if in_order and not any(missing):
        try:
            place = {group: number for number, group in enumerate(sorted(set(given)))}
            return np.fromiter((place[group] for group in given), np.intp, n_images)
        except TypeError:  # of several kinds, or of one without an order
            pass
    numbers: dict[Hashable, int] = {}
    keys = (object() if gone else group for group, gone in zip(given, missing, strict=True))
    try:
        return np.fromiter(
            (numbers.setdefault(key, len(numbers)) for key in keys), np.intp, n_images
        )
    except TypeError:
        msg = "groups: give one name or number for each image, not a list or a table of them"
        raise ParameterError(msg) from None


def _each(groups: Any) -> Iterable[Any]:
    if isinstance(groups, str | bytes) or not isinstance(groups, Iterable):
        msg = f"groups: give one name or number for each image. Received: {groups!r}"
        raise ParameterError(msg)
    return groups
