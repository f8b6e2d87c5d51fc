"""Print the boxed images that a model was not trained on: a list for benchmarks/explain_boxes.py."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from judge import read_outputs
from rows import load, read_boxes


def main() -> None:
    """Print one file per line, as boxes.csv has them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri and br35h")
    parser.add_argument("folder", type=Path, help="folder that train.py wrote")
    parser.add_argument("--without", type=Path, help="leave out what this model was tested on")
    parser.add_argument("--part", choices=("test", "validation", "away"), default="test")
    given = parser.parse_args()
    dataset = load(given.data)
    groups = np.asarray(dataset.groups)
    tested = _images(given.folder, given.part)
    if given.without:
        known = np.unique(groups[_images(given.without, "test")])
        tested = tested[~np.isin(groups[tested], known)]
    boxes = read_boxes(given.data, dataset)
    for i in tested:
        if int(i) in boxes:
            print("/".join(Path(dataset.paths[i]).parts[-2:]))


def _images(folder: Path, part: str) -> np.ndarray:
    found = read_outputs(folder)
    return np.unique(found["image"][found["part"] == part])


if __name__ == "__main__":
    main()
