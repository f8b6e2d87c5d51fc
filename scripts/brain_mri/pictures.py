"""Draw every row once, with where its tumor is: what `whole.py` learns from. Survives a kill."""

from __future__ import annotations

import argparse
import json
import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from places import CELLS, cells_of
from rows import FAILURES, PrepareRow, load, load_donors, plan_rows, read_boxes

from mri_tumor.images import read_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.data import Dataset

SIZE, PART = 224, 512


@dataclass(frozen=True)
class Drawer:
    """Draws parts of a table of rows into files that all processes share.

    Parameters
    ----------
    dataset : Dataset
        The images.
    prepare : PrepareRow
        Makes the row of an index.
    pictures : ndarray of uint8, shape (n, 224, 224)
        Filled with the rows.
    cover : ndarray of float16, shape (n, 7, 7)
        Filled with the part of each cell that a tumor covers.
    """

    dataset: Dataset
    prepare: PrepareRow
    pictures: NDArray[np.uint8]
    cover: NDArray[np.float16]

    def __call__(self, start: int) -> tuple[int, dict[str, list[int]]]:
        """Draw the rows from `start`; return which of them could not be changed as planned."""
        rows, prepare = self.prepare.rows, self.prepare
        for name in FAILURES:
            getattr(prepare, name).clear()
        for index in range(start, min(start + PART, len(rows.image))):
            image = rows.image[index]
            values, _, tumor = prepare.with_cover(read_image(self.dataset.paths[image]), index)
            self.pictures[index] = values[:, :, 0]
            healthy = self.dataset.labels[image] == "notumor"
            self.cover[index] = cells_of(prepare, index, tumor, healthy=healthy)
        return start, {name: sorted(getattr(prepare, name)) for name in FAILURES}


_drawer: list[Drawer] = []  # inherited by processes; sent to them it would be copied


def _draw(start: int) -> tuple[int, dict[str, list[int]]]:
    return _drawer[0](start)


def open_pictures(folder: Path, n: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the pictures (n, 224, 224) and covers (n, 7, 7) of a folder, made new if need be."""
    files = folder / "pictures.npy", folder / "cover.npy"
    if not n:
        return tuple(np.load(file, mmap_mode="r", allow_pickle=False) for file in files)  # type: ignore[return-value]
    if not (folder / "failures.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        shapes = (np.uint8, (n, SIZE, SIZE)), (np.float16, (n, CELLS, CELLS))
        for file, (kind, shape) in zip(files, shapes, strict=True):
            np.lib.format.open_memmap(file, mode="w+", dtype=kind, shape=shape)
        (folder / "failures.json").write_text("{}")
    return tuple(np.load(file, mmap_mode="r+", allow_pickle=False) for file in files)  # type: ignore[return-value]


def main() -> None:
    """Draw what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri and br35h")
    parser.add_argument("--work", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    for seed in given.seeds:
        rows = plan_rows(dataset, boxes, seed=seed)
        prepare = PrepareRow(rows, load_donors(dataset, rows, boxes), seed, boxes=boxes)
        folder = given.work / f"pictures-{seed}"
        _drawer[:] = [Drawer(dataset, prepare, *open_pictures(folder, len(rows.image)))]
        failures = json.loads((folder / "failures.json").read_text())
        missing = [at for at in range(0, len(rows.image), PART) if str(at) not in failures]
        # Processes inherit what is read once here; the longest parts come last.
        with multiprocessing.get_context("fork").Pool() as workers:
            for start, failed in workers.imap_unordered(_draw, missing[::-1]):
                failures[str(start)] = failed
                partial = folder / "failures.part"
                partial.write_text(json.dumps(failures))
                partial.rename(folder / "failures.json")
                done = min(len(failures) * PART, len(rows.image))
                print(f"seed {seed}: {done} of {len(rows.image)} rows", flush=True)


if __name__ == "__main__":
    main()
