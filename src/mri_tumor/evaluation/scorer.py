"""Compute every figure of a set of images, for the data and for all resamples of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mri_tumor.evaluation.inputs import ScoredImages
from mri_tumor.evaluation.measures import (
    Ranked,
    auc,
    class_figures,
    count_answers,
    divide,
    mean_over,
    micro_figures,
)

Floats = NDArray[np.float64]
Key = tuple[str, ...]
PER_CLASS = ("precision", "recall", "specificity", "f1", "auc")
HEADLINE = (
    "accuracy",
    "precision",
    "recall",
    "sensitivity",
    "specificity",
    "f1",
    "auc",
    "balanced_accuracy",
    "coverage",
)


@dataclass(frozen=True, eq=False)
class Scorer:
    """What does not change from resample to resample, summed up once.

    Parameters
    ----------
    images : ScoredImages
        The images.
    n_groups : int
        Number of groups.
    counts : ndarray of float, shape (n_groups, n_classes, n_classes + 1)
        Answers to the images of known class, refused ones in the last column.
    tumor_counts : ndarray of float, shape (n_groups, 2, 3)
        The same for tumor or not, all images.
    class_ranks : tuple of Ranked
        Images of known class, in the question of each class; refused ones are ranked wrong.
    pooled_ranks : Ranked
        The questions of all classes together.
    tumor_ranks : Ranked
        All images, in the question of tumor or not.
    """

    images: ScoredImages
    n_groups: int
    counts: Floats
    tumor_counts: Floats
    class_ranks: tuple[Ranked, ...]
    pooled_ranks: Ranked
    tumor_ranks: Ranked

    @classmethod
    def prepare(cls, images: ScoredImages, threshold: float) -> "Scorer":
        """Sum up the answers that the label rule gives at a threshold."""
        n_classes = len(images.classes)
        n_groups = int(images.groups.max()) + 1
        predicted = images.predicted(threshold)
        known = images.typed
        called = np.where(images.refused, 2, predicted != images.negative)
        scores, sides = (
            images.probabilities[known],
            np.eye(n_classes, dtype=bool)[images.truth[known]],
        )
        scores = _ranked_wrong(scores, sides, images.refused[known][:, None])
        groups = images.groups[known]
        return cls(
            images=images,
            n_groups=n_groups,
            counts=count_answers(
                images.truth[known],
                predicted[known],
                groups,
                n_classes=n_classes,
                n_groups=n_groups,
            ),
            tumor_counts=count_answers(
                images.is_tumor.astype(np.intp),
                called,
                images.groups,
                n_classes=2,
                n_groups=n_groups,
            ),
            class_ranks=tuple(
                Ranked.make(scores[:, index], sides[:, index], groups)
                for index in range(n_classes)
            ),
            pooled_ranks=Ranked.make(scores.ravel(), sides.ravel(), groups.repeat(n_classes)),
            tumor_ranks=Ranked.make(
                _ranked_wrong(images.p_tumor, images.is_tumor, images.refused),
                images.is_tumor,
                images.groups,
            ),
        )

    def once(self) -> Floats:
        """Return the weights that count every group once, shape (1, n_groups)."""
        return np.ones((1, self.n_groups))

    def figures(self, weights: Floats) -> dict[Key, Floats]:
        """Compute every figure for each row of group weights.

        Parameters
        ----------
        weights : ndarray of float, shape (n_rows, n_groups)
            How often each group counts.

        Returns
        -------
        dict of tuple of str to ndarray of float, shape (n_rows,)
            Figures in [0, 1] or NaN, by their place in the report.
        """
        classes = self.images.classes
        counts = np.tensordot(weights, self.counts, axes=1)
        by_class = class_figures(counts)
        present = counts.sum(axis=-1) > 0
        by_class["auc"] = np.stack([auc(ranked, weights) for ranked in self.class_ranks], axis=1)
        macro = {name: mean_over(values, present) for name, values in by_class.items()}
        micro = micro_figures(counts) | {"auc": auc(self.pooled_ranks, weights)}
        tumor = self._tumor_figures(weights)
        figures = self._headline(macro, micro, tumor)
        for name in (*PER_CLASS, "coverage"):
            for index, label in enumerate(classes):
                figures["per_class", label, name] = by_class[name][:, index]
            if name != "coverage":
                figures["macro", name] = macro[name]
                figures["micro", name] = micro[name]
        return figures | {("tumor", name): values for name, values in tumor.items()}

    def _headline(
        self, macro: dict[str, Floats], micro: dict[str, Floats], tumor: dict[str, Floats]
    ) -> dict[Key, Floats]:
        if len(self.images.classes) == 2:
            chosen = tumor | {"precision": tumor["ppv"], "recall": tumor["sensitivity"]}
        else:
            chosen = macro | {
                "accuracy": micro["accuracy"],
                "sensitivity": macro["recall"],
                "balanced_accuracy": macro["recall"],
                "coverage": tumor["coverage"],
            }
        return {(name,): chosen[name] for name in HEADLINE}

    def _tumor_figures(self, weights: Floats) -> dict[str, Floats]:
        counts = np.tensordot(weights, self.tumor_counts, axes=1)
        figures = class_figures(counts)
        recall = figures["recall"]
        total = counts.sum(axis=(-2, -1))
        return {
            "sensitivity": recall[:, 1],
            "specificity": recall[:, 0],
            "ppv": figures["precision"][:, 1],
            "npv": figures["precision"][:, 0],
            "auc": auc(self.tumor_ranks, weights),
            "f1": figures["f1"][:, 1],
            "accuracy": divide(counts[:, 0, 0] + counts[:, 1, 1], total),
            "balanced_accuracy": recall.mean(axis=-1),
            "coverage": 1 - divide(counts[..., -1].sum(axis=-1), total),
        }


def _ranked_wrong(scores: Floats, sides: NDArray[np.bool_], refused: NDArray[np.bool_]) -> Floats:
    """Put refused positives below and refused negatives above all others."""
    return np.where(refused, np.where(sides, -np.inf, np.inf), scores)
