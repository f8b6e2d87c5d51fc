"""Print what the models that left sources out say of what they never saw."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from parts import LEFT_OUT
from rows import CLASSES

from mri_tumor.answers import DecisionRule, calibrate_rule
from mri_tumor.evaluation import evaluate_predictions, expected_calibration_error
from mri_tumor.evaluation.intervals import figure_interval, group_weights

if TYPE_CHECKING:
    from collections.abc import Callable

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
    return held & (np.isin(found["kind"], ["plain", "robust"]) | is_stripped(found))


def rule_from(
    found: dict[str, NDArray[Any]], chosen: NDArray[np.bool_], *, sensitivity: float | None = None
) -> DecisionRule:
    """Return temperature, threshold and prediction sets that some of the outputs suggest."""
    plain = DecisionRule(classes=CLASSES, negative_class="notumor")
    return calibrate_rule(
        plain,
        found["label"][chosen].tolist(),
        plain.probabilities(found["outputs"])[chosen],
        groups=found["group"][chosen],
        sensitivity=sensitivity,
    )


def is_stripped(found: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which rows lost their skull."""
    return np.asarray((found["kind"] == "stripped") & found["stripped"])


@dataclass(frozen=True)
class Judged:
    """What a model says of what it never saw: figures by part and look."""

    name: str
    threshold: float
    temperature: float
    figures: dict[tuple[str, str], dict[str, float]]
    intervals: dict[tuple[str, str], dict[str, tuple[float, float] | None]] = field(
        default_factory=dict
    )


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="folders that train.py wrote")
    parser.add_argument("--sensitivity", type=float)
    parser.add_argument("--packaged", action="store_true", help="calibrate as package.py does")
    parser.add_argument(
        "--mean", action="store_true", help="also the models' mean and standard deviation"
    )
    given = parser.parse_args()
    judged = [
        judge(folder, sensitivity=given.sensitivity, packaged=given.packaged)
        for folder in given.folders
    ]
    if given.mean:
        judged += [over(judged, "mean", np.mean), over(judged, "spread", partial(np.std, ddof=1))]
    for one in judged:
        show(one)


def judge(folder: Path, *, sensitivity: float | None, packaged: bool) -> Judged:
    """Choose temperature and threshold on held-back images, and measure on the others."""
    found = read_outputs(folder)
    chosen = (found["part"] == "validation") & (found["kind"] == "plain")
    if packaged:
        chosen = calibration_images(found)
    rule = rule_from(found, chosen, sensitivity=sensitivity)
    rows = rule.probabilities(found["outputs"])
    figures, intervals = {}, {}
    for part in ("validation", "test", "away"):
        for kind in ("plain", "stripped", "robust"):
            inside = (found["part"] == part) & (found["kind"] == kind)
            inside &= found["stripped"] if kind == "stripped" else True
            if not inside.any():
                continue
            these = found["label"][inside], rows[inside], rule.threshold
            figures[part, kind] = measure(*these)
            intervals[part, kind] = surround(*these, found["group"][inside])
            apart = {"rare": inside & rarest_look(found)}
            if kind == "plain":
                apart["erased"] = (found["part"] == part) & is_erased(found)
            for name, healthy in apart.items():
                if healthy.any():
                    right = tumor_probability(rows[healthy]) < rule.threshold
                    figures[part, kind] |= {name: right.mean(), f"{name}_n": healthy.sum()}
                    intervals[part, kind][name] = _share(right, found["group"][healthy])
    return Judged(folder.name, rule.threshold, rule.temperature, figures, intervals)


def is_erased(found: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which rows are slices of ill people whose tumor was taken out."""
    return np.asarray((found["kind"] == "erased") & (found["label"] == "notumor"))


def rarest_look(found: dict[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Return which rows are healthy slices of the rarest look: from the side and the front."""
    none = np.zeros(len(found["label"]), dtype=bool)
    if "look" not in found:  # written before the looks were
        return none
    looks, sizes = np.unique(found["look"], return_counts=True)
    healthy = looks >= 0
    if healthy.sum() < len(LEFT_OUT):
        return none
    return np.asarray(found["look"] == looks[healthy][sizes[healthy].argmin()])


def tumor_probability(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of a tumor in each row."""
    return np.asarray(1 - rows[:, CLASSES.index("notumor")])


def measure(
    labels: NDArray[np.str_], rows: NDArray[np.float64], threshold: float
) -> dict[str, float]:
    """Return the figures of some images."""
    p = tumor_probability(rows)
    tumor, typed = labels != "notumor", np.isin(labels, CLASSES)
    known = np.array([CLASSES.index(name) for name in labels[typed]])
    called, half = p >= threshold, p >= 0.5
    both = tumor.any() and not tumor.all()
    return {
        "n": len(labels),
        "four": (rows[typed].argmax(axis=1) == known).mean(),
        "ece": expected_calibration_error(known, rows[typed]),
        "sens": called[tumor].mean(),
        "spec": 1 - called[~tumor].mean(),
        "sens at 0.5": half[tumor].mean(),
        "spec at 0.5": 1 - half[~tumor].mean(),
        "auc": (p[tumor][:, None] > p[~tumor][None]).mean() if both else np.nan,
    }


def surround(
    labels: NDArray[np.str_],
    rows: NDArray[np.float64],
    threshold: float,
    groups: NDArray[np.intp],
) -> dict[str, tuple[float, float] | None]:
    """Return 95% intervals; whole groups of near-duplicates, in all their looks, are resampled."""
    called = tumor_probability(rows) >= threshold
    tumor, typed = labels != "notumor", np.isin(labels, CLASSES)
    likeliest = np.array(CLASSES)[rows.argmax(axis=1)]
    found = {
        "four": _share(likeliest[typed] == labels[typed], groups[typed]),
        "sens": _share(called[tumor], groups[tumor]),
        "spec": _share(~called[~tumor], groups[~tumor]),
    }
    if tumor.any() and not tumor.all():
        names = np.where(typed, labels, "tumor").tolist()
        report = evaluate_predictions(names, rows, classes=CLASSES, groups=groups)
        found["auc"] = report.intervals["tumor"]["auc"]
    return found


def _share(right: NDArray[np.bool_], groups: NDArray[np.intp]) -> tuple[float, float] | None:
    """Return the interval of the share that is right."""
    if not len(right):
        return None
    _, index = np.unique(groups, return_inverse=True)
    n_right, n = np.bincount(index, right), np.bincount(index)
    drawn = np.concatenate(list(group_weights(len(n), n_resamples=1000, seed=0)))
    return figure_interval(
        float(right.mean()), drawn @ n_right / (drawn @ n), n_independent=len(n)
    )


def over(judged: list[Judged], name: str, reduce: Callable[[list[float]], Any]) -> Judged:
    """Return a figure of all models for each of their figures."""
    return Judged(
        name,
        float(reduce([one.threshold for one in judged])),
        float(reduce([one.temperature for one in judged])),
        {
            key: {
                what: float(reduce([one.figures[key].get(what, np.nan) for one in judged]))
                for what in values
            }
            for key, values in judged[0].figures.items()
        },
    )


def show(one: Judged) -> None:
    """Print the table of a model."""
    print(f"\n{one.name}: threshold {one.threshold:.3f}, T {one.temperature:.2f}")
    for (part, kind), row in one.figures.items():
        apart = "".join(
            f"{name}={row[name]:.4f} {name}_n={row[f'{name}_n']:.0f} "
            for name in ("rare", "erased")
            if name in row
        )
        print(
            f"  {part:10s} {kind:8s} n={row['n']:5.0f} four={row['four']:.4f} "
            f"ece={row['ece']:.4f} sens={row['sens']:.4f} spec={row['spec']:.4f} {apart}"
            f"at 0.5: {row['sens at 0.5']:.4f} {row['spec at 0.5']:.4f} auc={row['auc']:.4f}"
        )
        ends = one.intervals.get((part, kind), {}).items()
        if shown := [f"{what} {pair[0]:.4f}-{pair[1]:.4f}" for what, pair in ends if pair]:
            print(f"{'':21s}95%: {', '.join(shown)}")


if __name__ == "__main__":
    main()
