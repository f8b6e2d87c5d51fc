"""How many independent groups each figure rests on, for the exact intervals at the edges."""

from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.evaluation.scorer import Floats, Key, Scorer

if TYPE_CHECKING:
    from collections.abc import Callable

# Means over k classes. With n groups of each class, no error in any group bounds the mean error
# rate of the classes as no error among n k groups does: the product of the (1 - q_i) ** n is at
# most (1 - mean(q)) ** (n k). A group with images of several classes counts for an equal share in
# each. Precision, F1 and specificity count the same errors from the other side. A group ranked
# below all others costs the AUC of its own class 1 / n and those of the others as much together,
# so a mean of AUCs rests on half as many.
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
    groups = _mean_of_parts(scorer.counts.sum(axis=-1)[:, present])
    return groups / 2 if name == "auc" else groups


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
