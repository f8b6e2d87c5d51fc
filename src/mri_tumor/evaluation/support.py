"""How many independent groups each figure rests on, for the exact intervals at the edges."""

from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.evaluation.scorer import Floats, Key, Scorer

if TYPE_CHECKING:
    from collections.abc import Callable

# With n groups for each of k parts that share no image, no error in any of them bounds the mean
# error rate as no error among n k groups does: the product of the (1 - q_i) ** n is at most
# (1 - mean(q)) ** (n k). The parts of the other averages share their images.
_PARTS_APART = ("recall", "sensitivity", "balanced_accuracy", "precision")
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
    parts = [
        _rests_on(scorer.counts, index, "recall" if name == "balanced_accuracy" else name)
        for index in present
    ]
    return min(parts, default=0.0) * (len(parts) if key[-1] in _PARTS_APART else 1)


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
        "balanced_accuracy": lambda: 2 * min(_groups(own), _groups(rest)),
    }
    return sides[name]() if name in sides else _groups(everything)


def _groups(images: Floats) -> float:
    return float((images > 0).sum())
