"""Draw again where each row has its tumor: what teaches the network to look there."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rows import PrepareRow, load, load_donors, plan_rows, read_boxes

from mri_tumor.images import read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = 7
UNKNOWN = -1.0


def cells_of(
    prepare: PrepareRow, index: int, cover: NDArray[np.float32] | None, *, healthy: bool
) -> NDArray[np.float32]:
    """Return the covered part of each cell of a row that was just drawn.

    Healthy rows are 0 everywhere, rows whose tumor has no known place are -1.
    """
    kind = prepare.rows.kind[index]
    if cover is not None and kind != "stripped":
        cell = len(cover) // CELLS
        return cover.reshape(CELLS, cell, CELLS, cell).mean(axis=(1, 3))
    gone = kind == "erased" and index not in prepare.not_erased
    clear = kind != "stripped" and (healthy or gone)
    return np.full((CELLS, CELLS), 0.0 if clear else UNKNOWN, np.float32)


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
        found[index] = cells_of(prepare, index, cover, healthy=healthy[index])

    with ThreadPoolExecutor() as workers:
        for done, _ in enumerate(workers.map(draw, np.flatnonzero(known)), 1):
            if not done % 2000:
                print(f"{done} of {known.sum()} rows", flush=True)
    np.save(given.work / f"places-{given.seed}.npy", found)


if __name__ == "__main__":
    main()
