"""Set images aside to calibrate on, and tell what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mri_tumor.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mri_tumor.data import Dataset


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
    lines = [f"Temperature {found['temperature']:.3f}. On these images:"]
    if found["before"]:
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
