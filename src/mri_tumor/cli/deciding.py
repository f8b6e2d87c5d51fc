"""Set images aside to calibrate on, and tell what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mri_tumor.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mri_tumor.data import Dataset
    from mri_tumor.evaluation import CurvePoint, EvaluationReport


def set_aside(
    validation: Dataset, *, seed: int, say: Callable[[str], None]
) -> tuple[Dataset, Dataset | None]:
    """Halve the validation part: the first half chooses epochs, the second calibrates.

    Parameters
    ----------
    validation : Dataset
        The part.
    seed : int
        Seed of the division.
    say : callable
        Told where there are too few images; nothing is calibrated then.

    Returns
    -------
    choosing : Dataset
        What to choose epochs by.
    calibration : Dataset or None
        What to calibrate on.
    """
    from mri_tumor.data.dividing import halve

    try:
        return halve(validation, seed=seed)
    except DataError as error:
        say(f"warning: not calibrated: {error}")
        return validation, None


def tell_decisions(found: Mapping[str, Any]) -> str:
    """Say in words what `describe_decisions` found, several lines."""
    lines = [f"Temperature {found['temperature']:.3f}."]
    if found["before"]:
        lines[0] += " On these images:"
        lines += [
            f"  {name} {found['before'][key]:.4f} before it, {found['after'][key]:.4f} after"
            for name, key in (
                ("expected calibration error of P(tumor)", "expected_calibration_error"),
                ("Brier score of P(tumor)", "brier_score"),
                (
                    "expected calibration error of the classes",
                    "classes_expected_calibration_error",
                ),
                ("Brier score of the classes", "classes_brier_score"),
            )
            if key in found["before"]
        ]
    if point := found.get("operating_point"):
        wanted = (
            "the best mean of sensitivity and specificity"
            if point["target"] == "balance"
            else f"{point['target']} {point['target_value']:.4g}"
        )
        missed = "" if point["reached"] else ", which no threshold reached"
        lines.append(
            f"Threshold {point['threshold']:.4g}, chosen for {wanted}{missed}, on "
            f"{point['n_positive']:,} images with a tumor and {point['n_negative']:,} without: "
            f"sensitivity {point['sensitivity']:.3f}, specificity {point['specificity']:.3f} there."
        )
    if "coverage_found" in (sets := found.get("prediction_sets", {})):
        ends = "" if sets["interval"] is None else " ({:.3f}-{:.3f})".format(*sets["interval"])
        lines.append(
            f"Prediction sets hold the true class in {sets['coverage_found']:.3f}{ends} of "
            f"{sets['n_images']:,} images, wanted {sets['coverage_wanted']:.4g}; "
            f"{sets['uncertain']:.3f} leave open whether there is a tumor."
        )
    return "\n".join(lines)


def points(
    report: EvaluationReport,
    *,
    sensitivity_at: tuple[float, ...] = (),
    specificity_at: tuple[float, ...] = (),
    prevalence: tuple[float, ...] = (),
) -> dict[str, Any]:
    """Find points of the ROC curve, and predictive values elsewhere.

    Parameters
    ----------
    report : EvaluationReport
        With its images.
    sensitivity_at : tuple of float
        Specificities to give the sensitivity at.
    specificity_at : tuple of float
        Sensitivities to give the specificity at.
    prevalence : tuple of float
        Shares of tumours to give the predictive values at.

    Returns
    -------
    dict
        What JSON can hold: a list for each name that was asked for.
    """
    from mri_tumor.evaluation import sensitivity_at_specificity, specificity_at_sensitivity

    images = report.require_images()
    common: dict[str, Any] = {
        "refused": images.refused,
        "groups": images.groups,
        "n_bootstrap": report.n_bootstrap,
        "confidence": report.confidence,
        "seed": report.seed,
    }
    sides = images.is_tumor, images.p_tumor
    found: dict[str, Any] = {}
    for at in sensitivity_at:
        point = sensitivity_at_specificity(*sides, specificity=at, **common)
        found.setdefault("sensitivity_at_specificity", []).append(
            {"specificity": at, "sensitivity": point.value, **_rest(point, report)}
        )
    for at in specificity_at:
        point = specificity_at_sensitivity(*sides, sensitivity=at, **common)
        found.setdefault("specificity_at_sensitivity", []).append(
            {"sensitivity": at, "specificity": point.value, **_rest(point, report)}
        )
    if prevalence:
        found["predictive_values"] = [
            {**report.predictive_values(prevalence=share), "coverage": report.coverage}
            for share in prevalence
        ]
    return found


def _rest(point: CurvePoint, report: EvaluationReport) -> dict[str, Any]:
    return {
        "interval": None if point.interval is None else list(point.interval),
        "threshold": point.threshold,
        "coverage": report.coverage,
    }


def tell_points(found: Mapping[str, Any]) -> list[str]:
    """Say in words what `points` found, a line for each."""
    lines = []
    for name, other in (("sensitivity", "specificity"), ("specificity", "sensitivity")):
        for row in found.get(f"{name}_at_{other}", ()):
            at = "" if row["threshold"] is None else f", threshold {row['threshold']:.4g}"
            lines.append(
                f"{name.capitalize()} at {other} {row[other]:.4g}: {row[name]:.3f}"
                f"{_ends(row['interval'])}{at}, coverage {row['coverage']:.3f}"
            )
    for row in found.get("predictive_values", ()):
        values = ", ".join(
            f"{name.upper()} n/a"
            if row[name] is None
            else f"{name.upper()} {row[name]:.3f}{_ends(row['intervals'][name])}"
            for name in ("ppv", "npv")
        )
        lines.append(
            f"Where {row['prevalence']:.4g} of the images show a tumor: {values}, "
            f"coverage {row['coverage']:.3f}"
        )
    return lines


def _ends(interval: list[float] | None) -> str:
    return "" if interval is None else f" ({interval[0]:.3f}-{interval[1]:.3f})"
