"""Check temperature and prediction sets on images that they were not fitted on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.evaluation.calibration import describe_calibration, reliability_curve
from mri_tumor.evaluation.conformal import is_uncertain, prediction_sets
from mri_tumor.evaluation.intervals import figure_interval, group_weights
from mri_tumor.evaluation.measures import divide
from mri_tumor.evaluation.temperature import apply_temperature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.evaluation.calibration import ReliabilityCurve
    from mri_tumor.evaluation.conformal_rule import ConformalRule
    from mri_tumor.evaluation.inputs import ScoredImages
    from mri_tumor.evaluation.report import EvaluationReport


def describe_rule(
    report: EvaluationReport, *, temperature: float = 1.0, conformal: ConformalRule | None = None
) -> dict[str, Any]:
    """Measure calibration before and after the temperature, and what the sets hold.

    Parameters
    ----------
    report : EvaluationReport
        Of probabilities after the temperature, with its images.
    temperature : float, default=1.0
        What was applied to them.
    conformal : ConformalRule, optional
        What makes prediction sets of them.

    Returns
    -------
    dict
        What JSON can hold: ``temperature``; ``before`` and ``after`` with the calibration
        errors and Brier scores; with a rule ``prediction_sets``: the coverage wanted and found
        with its interval, the mean number of classes, and the share that leaves open whether
        there is a tumor.

    Raises
    ------
    ParameterError
        If the report was read from a file without its images.
    """
    after = report.require_images()
    found: dict[str, Any] = {
        "temperature": float(temperature),
        "before": _flat(describe_calibration(_without(after, temperature))),
        "after": _flat(describe_calibration(after)),
    }
    if conformal is not None:
        found["prediction_sets"] = _sets(report, after, conformal)
    return found


def reliability_before_and_after(
    report: EvaluationReport, *, temperature: float, n_bins: int = 10
) -> dict[str, ReliabilityCurve]:
    """Compare P(tumor) with what happened, without and with the temperature.

    Parameters
    ----------
    report : EvaluationReport
        Of probabilities after the temperature, with its images.
    temperature : float
        What was applied to them.
    n_bins : int, default=10
        Number of equal-width bins.

    Returns
    -------
    dict of str to ReliabilityCurve
        ``before`` and ``after``; empty if no image was answered.

    Raises
    ------
    ParameterError
        If the report was read from a file without its images.
    """
    after = report.require_images()
    answered = ~after.refused
    if not answered.any():
        return {}
    return {
        name: reliability_curve(
            images.is_tumor[answered], np.clip(images.p_tumor[answered], 0, 1), n_bins=n_bins
        )
        for name, images in (("before", _without(after, temperature)), ("after", after))
    }


def _without(images: ScoredImages, temperature: float) -> ScoredImages:
    """Take the temperature back: its inverse is a temperature as well."""
    rows = apply_temperature(images.probabilities, 1 / temperature)
    return replace(images, probabilities=rows)


def _flat(described: dict[str, Any] | None) -> dict[str, Any]:
    if described is None:
        return {}
    return {
        "n_images": described["n_images"],
        **described["tumor"],
        **{f"classes_{name}": value for name, value in described.get("classes", {}).items()},
    }


def _sets(
    report: EvaluationReport, images: ScoredImages, conformal: ConformalRule
) -> dict[str, Any]:
    """Describe the sets of the images that were answered and whose class is known."""
    kept = ~images.refused & images.typed
    found: dict[str, Any] = {"coverage_wanted": conformal.coverage, "n_images": int(kept.sum())}
    if not kept.any():
        return found
    sets = prediction_sets(images.probabilities[kept], conformal)
    held = sets[np.arange(len(sets)), images.truth[kept]]
    open_ends = is_uncertain(
        sets, classes=conformal.classes, negative_class=conformal.negative_class
    )
    ends = _interval(held, images.groups[kept], report)
    return {
        **found,
        "coverage_found": float(held.mean()),
        "interval": None if ends is None else [float(ends[0]), float(ends[1])],
        "mean_classes": float(sets.sum(axis=1).mean()),
        "uncertain": float(open_ends.mean()),
    }


def _interval(
    held: NDArray[np.bool_], groups: NDArray[np.intp], report: EvaluationReport
) -> tuple[float, float] | None:
    if not report.n_bootstrap:
        return None
    numbers = np.unique(groups, return_inverse=True)[1]
    n_groups = int(numbers.max()) + 1
    counts = np.stack([np.bincount(numbers, weights=held), np.bincount(numbers)], axis=1)
    sums = np.concatenate(
        [
            weights @ counts
            for weights in group_weights(
                n_groups, n_resamples=report.n_bootstrap, seed=report.seed
            )
        ]
    )
    return figure_interval(
        float(held.mean()),
        divide(sums[:, 0], sums[:, 1]),
        n_independent=n_groups,
        confidence=report.confidence,
    )
