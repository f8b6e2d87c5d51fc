"""Draw again where each row has its tumor: what teaches the network to look there."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rows import PrepareRow, load, load_donors, plan_rows, read_boxes

from mri_tumor.images import read_image

CELLS = 7
UNKNOWN = -1.0


def main() -> None:
    """Write the covered part of each cell of the last feature map, for every row.

    Healthy rows are 0 everywhere, rows whose tumor has no known place are -1.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri and br35h")
    parser.add_argument("--work", type=Path, required=True, help="folder of features.py")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    rows = plan_rows(dataset, boxes, seed=given.seed)
    prepare = PrepareRow(rows, load_donors(dataset, rows, boxes), given.seed, boxes=boxes)
    healthy = np.array(dataset.labels)[rows.image] == "notumor"
    found = np.full((len(rows.image), CELLS, CELLS), UNKNOWN, dtype=np.float16)
    found[healthy & (rows.kind != "stripped")] = 0.0
    made = np.isin(rows.kind, ["drawn", "transplant", "erased"])
    known = made | (np.isin(rows.image, list(boxes)) & (rows.kind != "stripped"))

    def draw(index: int) -> None:
        image = read_image(dataset.paths[rows.image[index]])
        cover = prepare.with_cover(image, index)[2]
        if rows.kind[index] == "erased" and index not in prepare.not_erased:
            found[index] = 0.0
        if cover is not None:
            cell = len(cover) // CELLS
            found[index] = cover.reshape(CELLS, cell, CELLS, cell).mean(axis=(1, 3))

    with ThreadPoolExecutor() as workers:
        for done, _ in enumerate(workers.map(draw, np.flatnonzero(known)), 1):
            if not done % 2000:
                print(f"{done} of {known.sum()} rows", flush=True)
    np.save(given.work / f"places-{given.seed}.npy", found)


if __name__ == "__main__":
    main()
