"""Print what the models that left sources out say of what they never saw."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from train import CLASSES

from mri_tumor.answers import DecisionRule, calibrate_rule

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_outputs(folder: Path) -> dict[str, NDArray[Any]]:
    """Read what train.py wrote of the images that it did not train on."""
    with np.load(folder / "outputs.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def calibration_images(found: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return what the packaged model is calibrated on: held-back images in all looks.

    Most of them are as other scanners would give them, so that temperature, threshold (the best
    mean of sensitivity and specificity) and prediction sets hold there too.
    """
    held: NDArray[np.bool_] = found["part"] == "validation"
    return held & ((found["kind"] != "stripped") | found["stripped"])


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="folders that train.py wrote")
    parser.add_argument("--sensitivity", type=float)
    parser.add_argument("--packaged", action="store_true", help="calibrate as package.py does")
    given = parser.parse_args()
    for folder in given.folders:
        found = read_outputs(folder)
        chosen = (found["part"] == "validation") & (found["kind"] == "plain")
        if given.packaged:
            chosen = calibration_images(found)
        plain = DecisionRule(classes=CLASSES, negative_class="notumor")
        rows = plain.probabilities(found["outputs"])
        rule = calibrate_rule(
            plain,
            found["label"][chosen].tolist(),
            rows[chosen],
            groups=found["group"][chosen],
            sensitivity=given.sensitivity,
        )
        rows = rule.probabilities(found["outputs"])
        print(f"\n{folder.name}: threshold {rule.threshold:.3f}, T {rule.temperature:.2f}")
        for part in ("validation", "test", "away"):
            for kind in ("plain", "stripped", "robust"):
                inside = (found["part"] == part) & (found["kind"] == kind)
                inside &= found["stripped"] if kind == "stripped" else True
                if not inside.any():
                    continue
                labels = found["label"][inside]
                p = 1 - rows[inside][:, CLASSES.index("notumor")]
                tumor = labels != "notumor"
                typed = np.isin(labels, CLASSES)
                right = rows[inside][typed].argmax(axis=1) == [
                    CLASSES.index(name) for name in labels[typed]
                ]
                called, half = p >= rule.threshold, p >= 0.5
                order = (
                    (p[tumor][:, None] > p[~tumor][None]).mean()
                    if tumor.any() and not tumor.all()
                    else np.nan
                )
                print(
                    f"  {part:10s} {kind:8s} n={inside.sum():5d} four={right.mean():.4f} "
                    f"sens={called[tumor].mean():.4f} spec={1 - called[~tumor].mean():.4f} "
                    f"at 0.5: {half[tumor].mean():.4f} {1 - half[~tumor].mean():.4f} "
                    f"auc={order:.4f}"
                )


if __name__ == "__main__":
    main()
