"""Images with their labels, however a caller passes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.backbones.mobilenet import BRAIN_MRI
from mri_tumor.bundle import packaged_bundle, read_bundle
from mri_tumor.data.overlap import Prints, SeenImages, prints_of
from mri_tumor.errors import DataError
from mri_tumor.groups import number_groups
from mri_tumor.images.collection import ImageCollection, as_collection
from mri_tumor.labels import is_missing
from mri_tumor.training.targets import cut_validation, near_duplicate_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray


def labelled(
    X: Any, y: Sequence[str] | None = None, *, name: str = "X"
) -> tuple[ImageCollection, list[str]]:
    """Return images and labels, whether given apart or as a data set.

    Parameters
    ----------
    X : paths, array or data set
        Images.
    y : sequence of str, optional
        Their labels; a data set brings its own.
    name : str, default="X"
        What messages call the images.

    Returns
    -------
    images : ImageCollection
        The images.
    labels : list of str
        One for each.

    Raises
    ------
    DataError
        If labels are missing, or are more or fewer than the images.
    """
    images = as_collection(X, name=name)
    labels = getattr(X, "labels", None) if y is None else y
    if labels is None:
        raise DataError(f"{name}: comes without labels. Pass y, or a data set from load_dataset.")
    given = labels if isinstance(labels, (list, tuple)) else np.asarray(labels).ravel().tolist()
    if missing := [i for i, label in enumerate(given) if is_missing(label)]:
        raise DataError(
            f"y[{missing[0]}]: the label is missing. Leave the image out, or label it."
        )
    labels = [str(label) for label in np.asarray(given).ravel()]
    if len(labels) != len(images):
        message = f"y: {len(labels)} labels for {len(images)} images. Pass one for each image."
        raise DataError(message)
    return images, labels


def kept(X: Any) -> Any:
    """Return images that can be gone through again: a generator's as a list."""
    return list(X) if isinstance(X, Iterator) else X


def groups_of(X: Any, groups: ArrayLike | None, n_images: int) -> NDArray[np.intp] | None:
    """Return the groups given, or those that a data set brings, as numbers from 0."""
    given = getattr(X, "groups", None) if groups is None else groups
    return None if given is None else number_groups(given, n_images, in_order=True)


def negative_of(X: Any, negative_class: str | None) -> str | None:
    """Return the negative class given, or the one that a data set names."""
    return negative_class or getattr(X, "negative_class", None)


def fingerprints(X: Any) -> Prints:
    """Return the hashes of images: those that a data set brings, or else newly made ones."""
    if hasattr(X, "content_hashes") and hasattr(X, "perceptual_hashes"):
        return X.content_hashes, X.perceptual_hashes
    return prints_of(as_collection(X))


def describe_data(
    X: Any, validation_data: Any = None, *, known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what a bundle keeps of its training data: hashes, by which leaks are found.

    Parameters
    ----------
    X : paths, array or data set
        Images that a model is made with.
    validation_data : data set, (X, y) or None
        More of them.
    known : mapping, optional
        What was kept so far, to be added to.

    Returns
    -------
    dict
        What JSON can hold.
    """
    if isinstance(validation_data, tuple):
        validation_data = validation_data[0]
    parts = [X] if validation_data is None else [X, validation_data]
    seen = SeenImages.of(fingerprints(part) for part in parts)
    return {**(known or {}), **seen.joined(SeenImages.from_dict(known or {})).to_dict()}


def images_behind(weights: Any) -> dict[str, Any]:
    """Return what is kept of the images behind weights that ship with the library.

    Parameters
    ----------
    weights : str, path or None
        As `TumorClassifier` takes them.

    Returns
    -------
    dict
        As `describe_data` gives it; empty for weights that were not made with brain MRI, or of
        which nothing is known.
    """
    if weights != BRAIN_MRI:
        return {}
    return dict(read_bundle(packaged_bundle(BRAIN_MRI)).metadata.get("data", {}))


def training_and_validation(
    images: ImageCollection,
    labels: list[str],
    groups: NDArray[Any] | None,
    validation_data: Any,
    *,
    fraction: float,
    seed: int,
) -> list[tuple[ImageCollection, list[str]]]:
    """Return the training and the validation part with their labels.

    Parameters
    ----------
    images, labels
        What to train on, from `labelled`.
    groups : ndarray, shape (n_images,), or None
        Group of each image; near-duplicates are looked for without it.
    validation_data : data set, (X, y) or None
        The validation part; None cuts it off by group.
    fraction : float
        Share to cut off.
    seed : int
        Seed of the cut.

    Returns
    -------
    list of (ImageCollection, list of str)
        Training and validation.

    Raises
    ------
    DataError
        If a class cannot be in both parts.
    """
    if validation_data is not None:
        given = validation_data if isinstance(validation_data, tuple) else (validation_data,)
        return [(images, labels), labelled(*given, name="validation_data")]
    groups = near_duplicate_groups(images) if groups is None else groups
    rows, held = cut_validation(labels, groups, fraction=fraction, seed=seed)
    return [(images.subset(part), [labels[i] for i in part]) for part in (rows, held)]
