"""How many independent groups each figure rests on, for the exact intervals at the edges."""

from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.evaluation.scorer import Floats, Key, Scorer

if TYPE_CHECKING:
    from collections.abc import Callable

# With n groups for each of k parts that share no image, no error in any of them bounds the mean
# error rate as no error among n k groups does: the product of the (1 - q_i) ** n is at most
# (1 - mean(q)) ** (n k). A group with images in several parts counts for an equal share in each.
# The parts of the other averages share their images.
_PARTS_APART = ("recall", "balanced_accuracy", "precision")
_SAME = {"sensitivity": "recall", "ppv": "precision"}


def independent_groups(scorer: Scorer, key: Key) -> float:
    """Count the groups that a figure rests on.

    Parameters
    ----------
    scorer : Scorer
        The counts.
    key : tuple of str
        The place of the figure in the report, such as ("tumor", "auc").

    Returns
    -------
    float
        Number of groups with an image that the figure looks at; for an AUC, of the side that
        has fewer, since so many pairs of a positive and a negative group share no group.
    """
    classes = scorer.images.classes
    name = _SAME.get(key[-1], key[-1])
    if key[0] == "tumor" or (len(key) == 1 and len(classes) == 2):
        return _rests_on(scorer.tumor_counts, 1, name)
    if key[0] == "per_class":
        index = classes.index(key[1])
        return _rests_on(scorer.counts, index, "recall" if name == "coverage" else name)
    if name == "coverage":
        return scorer.n_groups
    if key[0] == "micro" or name == "accuracy":
        return _groups(scorer.counts.sum(axis=(1, 2)))
    present = np.flatnonzero(scorer.counts.sum(axis=(0, 2)) > 0).tolist()
    if name in _PARTS_APART:
        parts = _own(scorer.counts)
        if name == "precision":
            called = scorer.counts.sum(axis=1)[:, :-1]
            parts = np.where(called.any(axis=0), called, parts)
        return _mean_of_parts(parts[:, present])
    return min((_rests_on(scorer.counts, index, name) for index in present), default=0.0)


def _own(counts: Floats) -> Floats:
    """Count the images of each true class in each group, shape (n_groups, n_classes)."""
    return np.asarray(counts.sum(axis=-1))


def _mean_of_parts(images: Floats) -> float:
    """Count the groups behind a mean over parts, from images by group and part."""
    inside = images > 0
    shares = inside / np.maximum(1, inside.sum(axis=1, keepdims=True))
    by_part = shares.sum(axis=0)
    return float(by_part.min(initial=np.inf) * by_part.size) if by_part.size else 0.0


def _rests_on(counts: Floats, index: int, name: str) -> float:
    own = counts[:, index].sum(axis=-1)
    everything = counts.sum(axis=(1, 2))
    rest = everything - own
    called = counts[:, :, index].sum(axis=-1)
    others = counts[:, :, :-1].sum(axis=(1, 2)) - called
    sides: dict[str, Callable[[], float]] = {
        "recall": lambda: _groups(own),
        "specificity": lambda: _groups(rest),
        "precision": lambda: _groups(called) or _groups(own),
        "npv": lambda: _groups(others) or _groups(rest),
        "f1": lambda: _groups(own + called),
        "auc": lambda: min(_groups(own), _groups(rest)),
        "balanced_accuracy": lambda: _mean_of_parts(np.stack([own, rest], axis=1)),
    }
    return sides[name]() if name in sides else _groups(everything)


def _groups(images: Floats) -> float:
    return float((images > 0).sum())
