"""Print what several views of each image, and several models, add on what was left out.

Every way is calibrated anew on the images that chose the epoch: its threshold keeps the same
sensitivity there.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from judge import read_outputs
from rows import load

from mri_tumor import runtime
from mri_tumor.ensemble import VIEWS, Ensemble


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path, help="folder that train.py wrote: its parts")
    parser.add_argument("bundles", nargs="+", help="models trained on these parts")
    parser.add_argument("--part", choices=("away", "test", "validation"), default="away")
    parser.add_argument("--sensitivity", type=float, default=0.99)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    dataset = load(given.data)
    found = read_outputs(given.folder)
    plain = found["kind"] == "plain"
    chosen = found["image"][plain & (found["part"] == "validation")]
    judged = found["image"][plain & (found["part"] == given.part)]
    members = [runtime.load(bundle) for bundle in given.bundles]
    ways: dict[str, tuple[list[Any], tuple[str, ...]]] = {
        "one model": (members[:1], ("plain",)),
        "one model, mirrored too": (members[:1], ("plain", "mirrored")),
        "one model, six views": (members[:1], tuple(VIEWS)),
    }
    if len(members) > 1:
        ways[f"{len(members)} models"] = (members, ("plain",))
        ways[f"{len(members)} models, mirrored too"] = (members, ("plain", "mirrored"))
    results = {}
    for name, (models, views) in ways.items():
        both = Ensemble(models, views=views)
        both.calibrate(dataset.subset(chosen), sensitivity=given.sensitivity)
        start = time.perf_counter()
        report = judge(both, dataset.subset(judged))
        report["milliseconds"] = 1e3 * (time.perf_counter() - start) / len(judged)
        report["passes"] = len(models) * len(views)
        results[name] = report
        print(name, json.dumps(report), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")


def judge(model: Ensemble, part: Any) -> dict[str, float]:
    """Return how well a model tells tumors, and of those with a known kind which."""
    classes = list(model.classes_)
    rows = model.predict_proba(part.paths)
    labels = np.array(part.labels)
    tumor, p = labels != "notumor", 1 - rows[:, classes.index("notumor")]
    typed = np.isin(labels, classes)
    called = p >= model.rule_.threshold
    return {
        "n_images": len(labels),
        "four": float(np.mean(model.classes_[rows[typed].argmax(axis=1)] == labels[typed])),
        "sensitivity": float(called[tumor].mean()),
        "specificity": float(1 - called[~tumor].mean()),
        "auc": float((p[tumor][:, None] > p[~tumor][None]).mean()),
        "brier": float(np.mean((p - tumor) ** 2)),
        "threshold": model.rule_.threshold,
    }


if __name__ == "__main__":
    main()
