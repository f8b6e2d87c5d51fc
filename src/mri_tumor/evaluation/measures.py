"""Figures from counts: plain formulas, vectorised over bootstrap resamples.

Every function takes arrays with any number of leading axes, so that one call serves the data
themselves and all resamples of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def count_answers(
    truth: NDArray[np.intp],
    predicted: NDArray[np.intp],
    groups: NDArray[np.intp],
    *,
    n_classes: int,
    n_groups: int,
) -> Floats:
    """Count answers within each group.

    Parameters
    ----------
    truth : ndarray of int, shape (n_images,)
        True class in [0, n_classes).
    predicted : ndarray of int, shape (n_images,)
        Class given, in [0, n_classes]; `n_classes` stands for refused.
    groups : ndarray of int, shape (n_images,)
        Group in [0, n_groups).
    n_classes, n_groups : int
        How many there are.

    Returns
    -------
    ndarray of float, shape (n_groups, n_classes, n_classes + 1)
        Images by group, true class and class given; refused ones are in the last column.
    """
    shape = (n_groups, n_classes, n_classes + 1)
    flat = np.ravel_multi_index((groups, truth, predicted), shape)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)


def one_against_rest(counts: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Reduce confusion matrices to true and false positives and negatives of each class.

    A refused image is wrong in every question: it is missed by its own class, and held against
    each other class as if that had been called.

    Parameters
    ----------
    counts : ndarray of float, shape (..., n_classes, n_classes + 1)
        Confusion matrices, true classes in rows, refused images in the last column.

    Returns
    -------
    tuple of four ndarray of float, shape (..., n_classes)
        True positives, false positives, false negatives and true negatives.
    """
    refused = counts[..., -1]
    answers = counts[..., :-1]
    total = counts.sum(axis=(-2, -1))[..., None]
    true_positive = np.diagonal(answers, axis1=-2, axis2=-1)
    false_negative = counts.sum(axis=-1) - true_positive
    held_against = refused.sum(axis=-1, keepdims=True) - refused
    false_positive = answers.sum(axis=-2) - true_positive + held_against
    true_negative = total - true_positive - false_positive - false_negative
    return true_positive, false_positive, false_negative, true_negative


def class_figures(counts: Floats) -> dict[str, Floats]:
    """Compute each class's figures against the rest.

    The precision of a class that is in the data but was never called is 0, as in scikit-learn;
    figures of a class that is not in the data are NaN, but for its specificity.

    Parameters
    ----------
    counts : ndarray of float, shape (..., n_classes, n_classes + 1)
        Confusion matrices with the refused images in the last column.

    Returns
    -------
    dict of str to ndarray of float, shape (..., n_classes)
        precision, recall, specificity, f1 and coverage, in [0, 1].
    """
    tp, fp, fn, tn = one_against_rest(counts)
    present = tp + fn > 0
    return {
        "precision": np.where(present, divide(tp, tp + fp, empty=0.0), np.nan),
        "recall": divide(tp, tp + fn),
        "specificity": divide(tn, tn + fp),
        "f1": np.where(present, divide(2 * tp, 2 * tp + fp + fn), np.nan),
        "coverage": 1 - divide(counts[..., -1], tp + fn),
    }


def micro_figures(counts: Floats) -> dict[str, Floats]:
    """Pool the one-against-rest questions of all classes.

    Parameters
    ----------
    counts : ndarray of float, shape (..., n_classes, n_classes + 1)
        Confusion matrices with the refused images in the last column.

    Returns
    -------
    dict of str to ndarray of float, shape (...)
        precision, recall, specificity, f1 and accuracy, in [0, 1]. Accuracy is the share of
        images given their class, which is the pooled recall too.
    """
    tp, fp, fn, tn = (part.sum(axis=-1) for part in one_against_rest(counts))
    return {
        "precision": divide(tp, tp + fp, empty=0.0),
        "recall": divide(tp, tp + fn),
        "specificity": divide(tn, tn + fp),
        "f1": divide(2 * tp, 2 * tp + fp + fn),
        "accuracy": divide(tp, tp + fn),
    }


def mean_over(values: Floats, present: NDArray[np.bool_]) -> Floats:
    """Average over the classes that are present, NaN when there is none.

    Parameters
    ----------
    values : ndarray of float, shape (..., n_classes)
        A figure of each class.
    present : ndarray of bool, shape (..., n_classes)
        True where the class is in the data.

    Returns
    -------
    ndarray of float, shape (...)
        The macro average.
    """
    kept = present & ~np.isnan(values)
    return divide(np.where(kept, values, 0.0).sum(axis=-1), kept.sum(axis=-1).astype(float))


@dataclass(frozen=True, eq=False)
class Ranked:
    """Images of one question by rising score, sorted once for many weightings.

    Parameters
    ----------
    columns : ndarray of int, shape (n_images,)
        Column of the weights that holds each image's weight.
    positive : ndarray of bool, shape (n_images,)
        The side of each image.
    starts : ndarray of int
        Index of the first image of each distinct score.
    """

    columns: NDArray[np.intp]
    positive: NDArray[np.bool_]
    starts: NDArray[np.intp]

    @classmethod
    def make(
        cls, scores: Floats, positive: NDArray[np.bool_], columns: NDArray[np.intp]
    ) -> "Ranked":
        """Sort images by score; infinite scores are allowed."""
        order = np.argsort(scores, kind="stable")
        ranked = scores[order]
        starts = np.flatnonzero(ranked[1:] != ranked[:-1]) + 1
        if ranked.size:
            starts = np.append(0, starts)
        return cls(columns[order], positive[order], starts)


def auc(ranked: Ranked, weights: Floats) -> Floats:
    """Compute the area under the ROC curve for many weightings of the same images.

    Parameters
    ----------
    ranked : Ranked
        The images.
    weights : ndarray of float, shape (n_resamples, n_columns)
        How often each image, or each group, counts, at least 0.

    Returns
    -------
    ndarray of float, shape (n_resamples,)
        Share of pairs in the right order, ties counted half; NaN without a positive or without
        a negative image.
    """
    if not ranked.columns.size:
        return np.full(len(weights), np.nan)
    ordered = weights.take(ranked.columns, axis=1)
    ups = ordered * ranked.positive
    downs = np.subtract(ordered, ups, out=ordered)
    if len(ranked.starts) < ordered.shape[1]:
        ups = np.add.reduceat(ups, ranked.starts, axis=1)
        downs = np.add.reduceat(downs, ranked.starts, axis=1)
    won = np.cumsum(downs, axis=1)
    pairs = np.einsum("ij,ij->i", ups, won) - np.einsum("ij,ij->i", ups, downs) / 2
    return divide(pairs, ups.sum(axis=1) * won[:, -1])


def divide(above: Floats, below: Floats, *, empty: float = np.nan) -> Floats:
    """Divide, with a set answer instead of a warning where the divisor is 0.

    Parameters
    ----------
    above, below : ndarray of float
        Of the same shape.
    empty : float, default=NaN
        Answer for 0 / 0.

    Returns
    -------
    ndarray of float
        The quotient.
    """
    above, below = np.asarray(above, float), np.asarray(below, float)
    quotient = np.full(below.shape, empty)
    np.divide(above, below, out=quotient, where=below > 0)
    return quotient
