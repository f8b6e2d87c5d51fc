"""Print what models say of the people that each of them left out (`train.py --unseen`)."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from judge import calibration_images, read_outputs, rule_from, tumor_probability
from rows import is_learned_only, load

LOOKS = {"plain": "as they are", "stripped": "skull removed", "robust": "as other scanners"}


def main() -> None:
    """Print for each person and look how many slices are called healthy, without a gate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folders", nargs="+", type=Path, help="folders that train.py wrote")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    dataset = load(given.data)
    sources, person = np.array(dataset.sources), is_learned_only(dataset)
    right: dict[str, Counter[str]] = {look: Counter() for look in LOOKS.values()}
    total: dict[str, Counter[str]] = {look: Counter() for look in LOOKS.values()}
    for folder in given.folders:
        found = read_outputs(folder)
        rule = rule_from(found, calibration_images(found))
        healthy = tumor_probability(rule.probabilities(found["outputs"])) < rule.threshold
        asked = (found["part"] == "away") & person[found["image"]]
        asked &= (found["kind"] != "stripped") | found["stripped"]
        for kind, look in LOOKS.items():
            inside = asked & (found["kind"] == kind)
            names = sources[found["image"][inside]]
            total[look].update(names.tolist())
            right[look].update(names[healthy[inside]].tolist())
    table = {
        look: {
            **{name: _share(right[look][name], n) for name, n in sorted(counts.items())},
            "all": _share(right[look].total(), counts.total()),
        }
        for look, counts in total.items()
    }
    for look, row in table.items():
        print(f"{look}: " + "; ".join(f"{k} {v['share']:.1%} of {v['n']}" for k, v in row.items()))
    if given.json:
        given.json.write_text(json.dumps(table, indent=1) + "\n")


def _share(right: int, n: int) -> dict[str, float]:
    return {"n": n, "right": right, "share": right / n}


if __name__ == "__main__":
    main()
