"""Fit what turns probabilities into answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mri_tumor.evaluation.conformal import conformal_threshold
from mri_tumor.evaluation.operating import choose_threshold
from mri_tumor.evaluation.temperature import apply_temperature, fit_temperature

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.answers.rule import DecisionRule


def calibrate_rule(
    rule: DecisionRule,
    labels: Sequence[str],
    probabilities: NDArray[np.float64],
    *,
    groups: NDArray[np.intp] | None = None,
    sensitivity: float | None = None,
    specificity: float | None = None,
    coverage: float = 0.95,
) -> DecisionRule:
    """Fit temperature, threshold and prediction sets, in this order.

    Parameters
    ----------
    rule : DecisionRule
        Names the classes.
    labels : sequence of str, length n_images
        True classes of images that the model did not learn from.
    probabilities : ndarray of float, shape (n_images, n_classes)
        Of the network, before any temperature.
    groups : ndarray, shape (n_images,), optional
        Patient or near-duplicate group of each image.
    sensitivity, specificity : float, optional
        The figure that the threshold is to keep; with neither the best mean of both.
    coverage : float, default=0.95
        Share of prediction sets that are to hold the true class.

    Returns
    -------
    DecisionRule
        The fitted rule.

    Raises
    ------
    DataError
        If a label is unknown, or one side is missing.
    ParameterError
        If an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from mri_tumor.answers import DecisionRule
    >>> tumor = np.tile([0.9, 0.8, 0.7, 0.2], 10)
    >>> labels = ["tumor" if p > 0.5 else "notumor" for p in tumor]
    >>> rule = DecisionRule(classes=("notumor", "tumor"), negative_class="notumor")
    >>> fitted = calibrate_rule(rule, labels, np.stack([1 - tumor, tumor], axis=1))
    >>> fitted.operating_point.sensitivity, fitted.temperature < 1
    (1.0, True)
    """
    names, negative = rule.classes, rule.negative_class
    temperature = fit_temperature(labels, probabilities, classes=names, negative_class=negative)
    rows = apply_temperature(probabilities, temperature)
    point = choose_threshold(
        labels,
        1 - rows[:, names.index(negative)],
        sensitivity=sensitivity,
        specificity=specificity,
        negative_class=negative,
        groups=groups,
    )
    conformal = conformal_threshold(
        labels,
        rows,
        classes=names,
        negative_class=negative,
        coverage=coverage,
        groups=groups,
    )
    return replace(
        rule,
        temperature=temperature,
        threshold=point.threshold,
        operating_point=point,
        conformal=conformal,
    )
