"""Fail when a new measurement of speed is a quarter worse than the recorded one.

    python benchmarks/runtime_speed.py --output new.json
    python benchmarks/guard.py benchmarks/results/runtime_speed.json new.json

What is compared are ratios to plain Keras within one run ("times as quick"), which mean the same on
a slow and on a quick machine; times are not compared.
"""

import argparse
import json
import sys
from pathlib import Path

RATIO = "times as quick"


def ratios(node, path=()):
    """Yield the place and the value of every ratio in a result."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == RATIO:
            yield " / ".join(path), float(value)
        else:
            yield from ratios(value, (*path, key))


def fallen(recorded, new, allowed=0.25):
    """Return (place, recorded ratio, new ratio or None) of all that fell too far or is missing."""
    found = dict(ratios(new))
    return [
        (place, value, found.get(place))
        for place, value in ratios(recorded)
        if found.get(place, 0.0) < value * (1 - allowed)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recorded", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--allowed", type=float, default=0.25, help="part that a ratio may fall")
    options = parser.parse_args()
    results = [json.loads(file.read_text("utf-8")) for file in (options.recorded, options.new)]
    bad = fallen(*results, allowed=options.allowed)
    for place, before, now in bad:
        print(f"{place}: {before} before, {'not measured' if now is None else now} now")
    if bad:
        sys.exit(1)
    print(f"{len(list(ratios(results[0])))} ratios hold")


if __name__ == "__main__":
    main()
