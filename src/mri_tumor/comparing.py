"""Compare two classifiers on the same images."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.data.splits import LeakWarning
from mri_tumor.errors import ParameterError
from mri_tumor.evaluation import compare_predictions
from mri_tumor.labelled import groups_of, kept, labelled
from mri_tumor.labels import UNKNOWN_TUMOR
from mri_tumor.training.targets import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.evaluation import Comparison


def compare_classifiers(
    first: Any,
    second: Any,
    X: Any,
    y: Sequence[str] | None = None,
    *,
    groups: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two models on the same labelled images, each with its own threshold.

    Models of the same classes are compared in all of them; models of different classes, such
    as one of two and one of four, as to tumour or not. An image without an answer counts as
    wrong. A `LeakWarning` tells if one of the models has seen some of the images.

    Parameters
    ----------
    first, second : TumorClassifier, Ensemble or other predictor
        Fitted models with the same negative class.
    X : paths, array or data set
        Images that neither was trained on.
    y : sequence of str, optional
        Their labels; a data set brings its own.
    groups : array_like, shape (n_images,), optional
        Patient or near-duplicate group of each image, for the intervals.
    n_bootstrap : int, default=1000
        Resamples for the intervals; 0 for none.
    seed : int, default=0
        Their seed.

    Returns
    -------
    Comparison
        Second minus first, with intervals and McNemar's test.

    Raises
    ------
    DataError
        If labels are missing or not known to the models.
    NotFittedError
        If one has no model yet.
    ParameterError
        If the models do not mean the same by *no tumour*.

    Examples
    --------
    >>> from mri_tumor import Ensemble, compare_classifiers, make_phantoms, runtime
    >>> model = runtime.load("brain-mri")
    >>> mirrored = Ensemble([model], views=("plain", "mirrored"))
    >>> test = make_phantoms(8, size=96)
    >>> found = compare_classifiers(model, mirrored, test.images, test.labels, n_bootstrap=0)
    >>> 0 <= found.right.p_exact <= 1
    True
    """
    X = kept(X)
    images, names = labelled(X, y)
    rules = [model._answering().rule for model in (first, second)]
    negative = rules[0].negative_class
    if rules[1].negative_class != negative:
        message = (
            f"second: means {rules[1].negative_class!r} by no tumor, and the first model "
            f"{negative!r}. Compare models with the same negative class."
        )
        raise ParameterError(message)
    same = set(rules[0].classes) == set(rules[1].classes)
    classes = rules[0].classes if same else (negative, UNKNOWN_TUMOR)
    richest = max((rule.classes for rule in rules), key=len)
    encode(names, richest, negative)
    answers = []
    for model, which in ((first, "first"), (second, "second")):
        # What runs without the network's training has no hashes.
        if hasattr(model, "overlap") and (seen := model.overlap(X)):
            warnings.warn(f"the {which} model: {seen}", LeakWarning, stacklevel=2)
        answers.append(model._answering().answers(images))
    rows = [
        _columns(found, rule, classes, same=same)
        for (found, _), rule in zip(answers, rules, strict=True)
    ]
    if not same:
        names = [negative if name == negative else UNKNOWN_TUMOR for name in names]
    return compare_predictions(
        names,
        *rows,
        classes=classes,
        negative_class=negative,
        thresholds=(rules[0].threshold, rules[1].threshold),
        groups=groups_of(X, groups, len(images)),
        refused=(answers[0][1], answers[1][1]),
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _columns(
    rows: NDArray[np.float64], rule: DecisionRule, classes: tuple[str, ...], *, same: bool
) -> NDArray[np.float64]:
    """Put probabilities in the order of the classes, or sum those of the tumours."""
    if same:
        return rows[:, [rule.classes.index(name) for name in classes]]
    none = rows[:, rule.classes.index(rule.negative_class)]
    return np.stack([none, 1 - none], axis=1)
