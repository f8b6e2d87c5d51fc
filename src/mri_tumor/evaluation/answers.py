"""Pick out the images that are worth a look."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mri_tumor.evaluation.inputs import ScoredImages


def worst(images: ScoredImages, threshold: float, n: int) -> list[dict[str, Any]]:
    """List the wrong answers, the most certain first.

    Parameters
    ----------
    images : ScoredImages
        The images; refused ones are left out.
    threshold : float
        Smallest P(tumor) that is called a tumor.
    n : int
        How many at most.

    Returns
    -------
    list of dict
        file, label, predicted, probability of the class called, and index of the image.
    """
    called, sure = _answers(images, threshold)
    same_side = (called != images.negative) == images.is_tumor
    wrong = np.where(images.typed, called != images.truth, ~same_side) & ~images.refused
    return _rows(images, np.where(wrong, -sure, np.inf), n, called, sure)


def least_certain(images: ScoredImages, threshold: float, n: int) -> list[dict[str, Any]]:
    """List the answers with the lowest probability of the class called.

    Parameters
    ----------
    images : ScoredImages
        The images; refused ones are left out.
    threshold : float
        Smallest P(tumor) that is called a tumor.
    n : int
        How many at most.

    Returns
    -------
    list of dict
        file, label, predicted, probability of the class called, and index of the image.
    """
    called, sure = _answers(images, threshold)
    return _rows(images, np.where(images.refused, np.inf, sure), n, called, sure)


def confused(
    images: ScoredImages, threshold: float, pair: tuple[str, str], n: int
) -> list[dict[str, Any]]:
    """List the images of one class that were called another, the most certain first.

    Parameters
    ----------
    images : ScoredImages
        The images; refused ones are left out.
    threshold : float
        Smallest P(tumor) that is called a tumor.
    pair : tuple of str
        True class, and class called.
    n : int
        How many at most.

    Returns
    -------
    list of dict
        file, label, predicted, probability of the class called, and index of the image.
    """
    called, sure = _answers(images, threshold)
    true, other = (images.classes.index(name) for name in pair)
    chosen = (images.truth == true) & (called == other) & ~images.refused
    return _rows(images, np.where(chosen, -sure, np.inf), n, called, sure)


def _answers(
    images: ScoredImages, threshold: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    called = np.where(images.refused, 0, images.predicted(threshold))
    return called, images.probabilities[np.arange(len(images)), called]


def _rows(
    images: ScoredImages,
    keys: NDArray[np.float64],
    n: int,
    called: NDArray[np.intp],
    sure: NDArray[np.float64],
) -> list[dict[str, Any]]:
    """Describe the images with the smallest finite keys."""
    order = np.argsort(keys, kind="stable")[: max(0, min(n, int(np.isfinite(keys).sum())))]
    labels = images.label_names()
    return [
        {
            "file": None if images.files is None else images.files[i],
            "label": labels[i],
            "predicted": images.classes[called[i]],
            "probability": float(sure[i]),
            "index": int(i),
        }
        for i in order
    ]
