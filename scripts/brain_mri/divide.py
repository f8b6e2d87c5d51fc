"""Write which images `whole.py` learns from; looks, which divide the healthy, come from features."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import numpy as np
from parts import LEFT_OUT
from rows import load, read_boxes
from train import divide, read_table


def main() -> None:
    """Divide, as train.py does with the same options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of features.py")
    parser.add_argument("--name", required=True, help="of what will be trained")
    parser.add_argument("--leave-out", choices=LEFT_OUT)
    parser.add_argument("--test", type=float, default=0.0, help="share held back for testing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unseen", nargs="*", default=[], help="people to leave out and test on")
    given = parser.parse_args()
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    parts = divide(dataset, read_table(given.work, dataset, boxes, 1), set(boxes), given)
    (given.work / given.name).mkdir(exist_ok=True)
    np.savez(given.work / given.name / "parts.npz", **asdict(parts))


if __name__ == "__main__":
    main()
