"""Which images are trained on, chosen by and tested on, for the packaged model and its proofs.

Sources are left out whole, with every near-duplicate of theirs: `br35h`, the figshare images
(those with boxes), the rest of the Kaggle tumors. There is one source of healthy slices, so with
each goes one cluster of healthy slices that look alike: sequences and planes, mostly. Averages of
many heads are only ever learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rows import is_learned_only

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mri_tumor.data import Dataset

LEFT_OUT = ("br35h", "figshare", "kaggle")


@dataclass(frozen=True, eq=False)
class Parts:
    """Positions in the data set.

    Parameters
    ----------
    train, validation, test, away : ndarray of int
        What is learned from; what chooses the epoch, the temperature and the threshold; images
        of the sources trained on; images of the sources left out.
    clusters : ndarray of int, shape (n_images,)
        Which healthy slices look alike; -1 for all others.
    """

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]
    away: NDArray[np.intp]
    clusters: NDArray[np.intp]


def appearance_clusters(
    dataset: Dataset, features: NDArray[np.floating[Any]], *, n: int, seed: int
) -> NDArray[np.intp]:
    """Cluster the healthy slices by looks, whole groups at a time; -1 for all others."""
    from sklearn.cluster import KMeans

    healthy = np.flatnonzero((np.array(dataset.labels) == "notumor") & ~is_learned_only(dataset))
    values = features[healthy].astype(np.float64)
    values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6)
    found = KMeans(n, n_init=10, random_state=seed).fit_predict(values)
    clusters = np.full(len(dataset), -1)
    groups = np.asarray(dataset.groups)
    for group in np.unique(groups[healthy]):
        inside = groups[healthy] == group
        clusters[healthy[inside]] = np.bincount(found[inside]).argmax()
    return clusters


def make_parts(
    dataset: Dataset,
    *,
    leave_out: str | None,
    boxed: set[int],
    clusters: NDArray[np.intp],
    validation: float,
    test: float,
    seed: int,
    unseen: Sequence[str] = (),
) -> Parts:
    """Divide a data set by group; all groups that touch a source left out are away.

    `unseen` names more sources to leave out: people of packages.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    labels, groups = np.array(dataset.labels), np.asarray(dataset.groups)
    sources = np.array(dataset.sources)
    only = is_learned_only(dataset)
    away = np.isin(sources, unseen)
    if leave_out is not None:
        is_boxed = np.isin(np.arange(len(dataset)), list(boxed))
        is_tumor = labels != "notumor"
        away |= {
            "br35h": sources == "br35h",
            "figshare": is_boxed,
            "kaggle": (sources == "kaggle") & is_tumor & ~is_boxed,
        }[leave_out]
        away |= clusters == LEFT_OUT.index(leave_out)
    # Copies of what is left out must not be learned from, nor judge it.
    dropped = np.isin(groups, np.unique(groups[away])) & ~away
    rest = np.flatnonzero(~away & ~dropped & ~only)
    n_folds = round(1 / validation)
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    held = [part for _, part in folds.split(rest, labels[rest], groups[rest])]
    n_test = round(test * n_folds)
    tested = np.concatenate([rest[part] for part in held[1 : 1 + n_test]] or [rest[:0]])
    chosen = rest[held[0]]
    train = np.setdiff1d(rest, np.concatenate([chosen, tested]))
    # Nor may a copy of what judges be learned from.
    judged = np.isin(groups, groups[np.concatenate([chosen, tested, np.flatnonzero(away)])])
    train = np.concatenate([train, np.flatnonzero(only & ~judged)])
    return Parts(train, np.sort(chosen), np.sort(tested), np.flatnonzero(away), clusters)
