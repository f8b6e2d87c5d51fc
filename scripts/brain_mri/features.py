"""Compute the frozen part of the network for every row, once, in parts that survive a kill."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import keras
import numpy as np
from rows import PrepareRow, load, load_donors, plan_rows, read_boxes

from mri_tumor.backbones import get_backbone
from mri_tumor.images.collection import ImageCollection, prepared_batches
from mri_tumor.model import build_model, find_backbone, open_layers, split_model
from mri_tumor.training.compiled import frozen_function

PART = 2048
FIRST_OPEN = "block_13_expand"


def build(seed: int, first_open: str = FIRST_OPEN) -> tuple[keras.Model, int]:
    """Return the untrained model and how many layers of its backbone are to learn."""
    model = build_model(get_backbone("MobileNetV2"), n_classes=4, seed=seed)
    names = [layer.name for layer in find_backbone(model).layers]
    return model, len(names) - names.index(first_open)


def features_folder(work: Path, seed: int, first_open: str = FIRST_OPEN) -> Path:
    """Return where the features of a set of variants are that go into some layer."""
    name = f"features-{seed}"
    return work / (name if first_open == FIRST_OPEN else f"{name}-{first_open}")


def main() -> None:
    """Compute the features."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri and br35h")
    parser.add_argument("--work", type=Path, required=True, help="folder for the features")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--open", default=FIRST_OPEN, help="first layer that will learn")
    parser.add_argument("--mirrored", action="store_true", help="of mirror images as well")
    given = parser.parse_args()
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    rows = plan_rows(dataset, boxes, seed=given.seed)
    prepare = PrepareRow(rows, load_donors(dataset, rows, boxes), given.seed, boxes=boxes)
    model, n_open = build(0, given.open)
    open_layers(model, n_open)
    split = split_model(model)
    assert split is not None
    run = frozen_function(split.frozen)
    folder = features_folder(given.work, given.seed, given.open)
    folder.mkdir(parents=True, exist_ok=True)
    names = tuple(dataset.paths[i] for i in rows.image)
    images = ImageCollection(tuple(map(str, names)))
    for start in range(0, len(names), PART):
        target = folder / f"{start:06d}.npy"
        if target.exists():
            continue
        stop = min(start + PART, len(names))
        part = images.subset(range(start, stop))
        for failed in (prepare.without_lesion, prepare.not_stripped, prepare.not_erased):
            failed.clear()
        found = []
        for batch in prepared_batches(
            part, prepare.settings, prepare=lambda image, i, at=start: prepare(image, at + i)
        ):
            values = run(batch.values)[0].astype(np.float16)
            if given.mirrored:
                other = run(np.ascontiguousarray(batch.values[:, :, ::-1]))[0].astype(np.float16)
                values = np.stack([values, other], axis=1)
            found.append(values)
        failures = {
            "without_lesion": sorted(prepare.without_lesion),
            "not_stripped": sorted(prepare.not_stripped),
            "not_erased": sorted(prepare.not_erased),
        }
        target.with_suffix(".json").write_text(json.dumps(failures))
        partial = target.with_suffix(".part")
        with partial.open("wb") as file:
            np.save(file, np.concatenate(found))
        partial.rename(target)
        print(f"{stop} of {len(names)} rows", flush=True)


if __name__ == "__main__":
    main()
