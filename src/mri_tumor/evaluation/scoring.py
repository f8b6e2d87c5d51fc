"""Score labelled images and put intervals around every figure."""

from collections.abc import Hashable, Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.evaluation.calibration import describe_calibration
from mri_tumor.evaluation.inputs import check_scored, check_share
from mri_tumor.evaluation.intervals import figure_interval, group_weights, resamples_at_once
from mri_tumor.evaluation.report import EvaluationReport
from mri_tumor.evaluation.scorer import Floats, Key, Scorer
from mri_tumor.evaluation.support import independent_groups
from mri_tumor.labels import NEGATIVE


def evaluate_predictions(
    labels: Sequence[str],
    probabilities: ArrayLike,
    *,
    classes: Sequence[str],
    negative_class: str = NEGATIVE,
    threshold: float = 0.5,
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    refused: ArrayLike | None = None,
    files: Sequence[str | PathLike[str]] | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> EvaluationReport:
    """Score predictions, with an interval around every figure.

    An image is called negative when P(tumor), one minus the probability of `negative_class`, is
    below `threshold`, and the likeliest tumor class otherwise. A refused image counts as wrong
    in every figure: missed by its own class, held against each other class, and ranked last in
    every AUC. Macro averages are over the classes that are in the data.

    Parameters
    ----------
    labels : sequence of str, length n_images
        True class of each image. With more than two classes, "tumor" is a tumor of unknown
        subtype, which is scored as tumor or not only.
    probabilities : array_like of float, shape (n_images, n_classes)
        Rows in [0, 1] that sum to 1, columns in the order of `classes`. Rows of refused images
        may be NaN.
    classes : sequence of str, length n_classes
        Names of the classes, `negative_class` among them.
    negative_class : str, default="notumor"
        The class without a tumor.
    threshold : float, default=0.5
        Smallest P(tumor) that is called a tumor, in [0, 1].
    groups : sequence of hashable, length n_images, optional
        Patient or near-duplicate group of each image. Whole groups are resampled. Without
        them each image counts as independent, which makes intervals too narrow for slices of
        the same patients.
    refused : array_like of bool, shape (n_images,), optional
        True for images to which the model gave no answer.
    files : sequence of str or path, length n_images, optional
        Names to show for the worst images.
    n_bootstrap : int, default=1000
        Number of resamples; 0 leaves the intervals out.
    confidence : float, default=0.95
        Confidence of the intervals, between 0 and 1.
    seed : int, default=0
        Seed of the resamples.

    Returns
    -------
    EvaluationReport
        The figures, their intervals, and what is needed to plot them.

    Raises
    ------
    DataError
        If there are no images, or a label is not among the classes.
    ParameterError
        If an argument has the wrong shape or values.

    References
    ----------
    .. [1] Field and Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical
       Society B 69, 2007. doi:10.1111/j.1467-9868.2007.00593.x

    Examples
    --------
    >>> report = evaluate_predictions(
    ...     ["tumor", "tumor", "notumor", "notumor"],
    ...     [[0.1, 0.9], [0.6, 0.4], [0.7, 0.3], [0.8, 0.2]],
    ...     classes=["notumor", "tumor"],
    ... )
    >>> report.sensitivity, report.specificity, report.auc
    (0.5, 1.0, 1.0)
    """
    check_share("threshold", threshold)
    check_share("confidence", confidence, closed=False)
    images = check_scored(
        labels,
        probabilities,
        classes=classes,
        negative_class=negative_class,
        groups=groups,
        refused=refused,
        files=files,
    )
    scorer = Scorer.prepare(images, threshold)
    values = {key: float(value[0]) for key, value in scorer.figures(scorer.once()).items()}
    intervals = _intervals(
        scorer, values, n_bootstrap=n_bootstrap, confidence=confidence, seed=seed
    )
    typed = scorer.counts.sum(axis=0).astype(int)
    tumor = scorer.tumor_counts.sum(axis=0).astype(int)
    return EvaluationReport(
        classes=images.classes,
        negative_class=negative_class,
        threshold=float(threshold),
        n_images=len(images),
        n_groups=scorer.n_groups,
        n_refused=int(images.refused.sum()),
        n_unknown_subtype=int((~images.typed).sum()),
        grouped=groups is not None,
        figures=_nest(values),
        intervals=_nest(intervals),
        n_bootstrap=int(n_bootstrap),
        confidence=float(confidence),
        seed=int(seed),
        confusion_matrix=tuple(tuple(map(int, row[:-1])) for row in typed),
        refused_by_class=tuple(map(int, typed[:, -1])),
        tumor_confusion_matrix=tuple(tuple(map(int, row[:-1])) for row in tumor),
        calibration=describe_calibration(images),
        images=images,
    )


def _intervals(
    scorer: Scorer, values: Mapping[Key, float], *, n_bootstrap: int, confidence: float, seed: int
) -> dict[Key, tuple[float, float] | None]:
    if n_bootstrap == 0:
        return dict.fromkeys(values)
    chunks = [
        scorer.figures(weights)
        for weights in group_weights(
            scorer.n_groups,
            n_resamples=n_bootstrap,
            seed=seed,
            chunk=resamples_at_once(len(scorer.images) * len(scorer.images.classes)),
        )
    ]
    return {
        key: _interval(
            key, value, np.concatenate([chunk[key] for chunk in chunks]), scorer, confidence
        )
        for key, value in values.items()
    }


def _interval(
    key: Key, value: float, resampled: Floats, scorer: Scorer, confidence: float
) -> tuple[float, float] | None:
    n_groups = independent_groups(scorer, key)
    mean_of_classes = key[0] == "macro" or (len(key) == 1 and len(scorer.images.classes) > 2)
    if key[-1] == "f1" and not mean_of_classes:
        # F1 = 2 J / (1 + J), where J = TP / (TP + FP + FN) is a share, as exact intervals want.
        ends = figure_interval(
            value / (2 - value),
            resampled / (2 - resampled),
            n_independent=n_groups,
            confidence=confidence,
        )
        return None if ends is None else (2 * ends[0] / (1 + ends[0]), 2 * ends[1] / (1 + ends[1]))
    return figure_interval(
        value,
        resampled,
        n_independent=n_groups,
        of_pairs=key[-1] == "auc",
        confidence=confidence,
    )


def _nest(flat: Mapping[Key, Any]) -> dict[str, Any]:
    """Turn keys such as ("tumor", "auc") into nested dictionaries, NaN into None."""
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        level = nested
        for part in key[:-1]:
            level = level.setdefault(part, {})
        level[key[-1]] = None if isinstance(value, float) and np.isnan(value) else value
    return nested
