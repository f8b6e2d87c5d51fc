"""Train the packaged model, or one that leaves sources out, on features computed before."""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from features import PART, build
from parts import LEFT_OUT, Parts, appearance_clusters, make_parts
from rows import Rows, load, plan_rows, read_boxes

from mri_tumor.model import open_layers, seeded, split_model
from mri_tumor.training.loop import Stage, run_stage
from mri_tumor.training.targets import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.data import Dataset

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")


class RowBatches(keras.utils.PyDataset):
    """Batches of rows in an order that follows from seed and epoch; in order without a seed."""

    def __init__(
        self,
        features: NDArray[np.float16],
        rows: NDArray[np.intp],
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
        *,
        seed: int | None,
    ) -> None:
        super().__init__()
        self.features, self.targets, self.weights = features, targets, weights
        self.rows, self.seed = rows, seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch."""
        self.order = self.rows
        if self.seed is not None:
            self.order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / 32)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rows = self.order[index * 32 : (index + 1) * 32]
        return self.features[rows].astype(np.float32), self.targets[rows], self.weights[rows]


def read_features(work: Path, n_rows: int) -> tuple[NDArray[np.float16], set[int], set[int]]:
    """Read all parts; also the rows that got no lesion, and those not stripped."""
    starts = range(0, n_rows, PART)
    files = [work / f"features-{start:06d}.npy" for start in starts]
    failed: dict[str, set[int]] = {"without_lesion": set(), "not_stripped": set()}
    for file in files:
        for name, rows in json.loads(file.with_suffix(".json").read_text()).items():
            failed[name] |= set(rows)
    values = np.concatenate([np.load(file, allow_pickle=False) for file in files])
    return values, failed["without_lesion"], failed["not_stripped"]


def row_labels(dataset: Dataset, rows: Rows, without_lesion: set[int]) -> NDArray[np.str_]:
    """Return the label of each row: a healthy slice with a lesion is a tumor of unknown kind."""
    labels = np.array(dataset.labels, dtype=object)[rows.image]
    given = np.isin(rows.kind, ["drawn", "transplant"])
    given[list(without_lesion)] = False
    labels[given] = "tumor"
    return labels.astype(str)


def training_rows(rows: Rows, parts: Parts, n_images: int) -> NDArray[np.intp]:
    """Return the rows of training images; a transplant's donor must be one as well."""
    known = np.zeros(n_images + 1, dtype=bool)
    known[parts.train] = True
    known[-1] = True  # no donor
    return np.flatnonzero(known[rows.image] & known[rows.donor] & (rows.kind != "stripped"))


def main() -> None:
    """Train, and write the outputs for every row of an image that was not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of features.py")
    parser.add_argument("--leave-out", choices=LEFT_OUT)
    parser.add_argument("--test", type=float, default=0.0, help="share held back for testing")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", nargs="*", default=[], help="kinds of rows to leave out")
    parser.add_argument("--smoothing", type=float, default=0.0, help="of the labels")
    parser.add_argument("--healthy-weight", type=float, default=2.0)
    parser.add_argument("--name", help="of the output; by default what is left out")
    given = parser.parse_args()
    started = time.perf_counter()
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    rows = plan_rows(dataset, boxes, seed=0)
    features, without_lesion, not_stripped = read_features(given.work, len(rows.image))
    plain = np.flatnonzero(rows.kind == "plain")
    looks = [
        np.concatenate([one.mean(axis=(0, 1)), one.std(axis=(0, 1))])
        for one in (features[row].astype(np.float32) for row in plain)
    ]
    parts = make_parts(
        dataset,
        leave_out=given.leave_out,
        boxed=set(boxes),
        clusters=appearance_clusters(dataset, np.array(looks), n=len(LEFT_OUT), seed=0),
        validation=0.1,
        test=given.test,
        seed=given.seed,
    )
    labels = row_labels(dataset, rows, without_lesion)
    targets = encode(labels.tolist(), CLASSES, "notumor")
    weights = np.where(labels == "notumor", given.healthy_weight, 1.0).astype(np.float32)
    learned = training_rows(rows, parts, len(dataset))
    learned = learned[~np.isin(rows.kind[learned], given.without)]
    chosen = plain[np.isin(rows.image[plain], parts.validation)]
    model, n_open = build(given.seed)
    open_layers(model, n_open)
    split = split_model(model)
    assert split is not None
    history: dict[str, list[Any]] = {}
    print(
        f"{len(parts.train)} images, {len(learned)} rows to learn from; validation "
        f"{len(parts.validation)}, test {len(parts.test)}, away {len(parts.away)}",
        flush=True,
    )
    with seeded(given.seed):
        run_stage(
            split.open,
            Stage(
                name="finetune",
                epochs=given.epochs,
                learning_rate=given.rate,
                patience=given.epochs,
                weight_decay=0.01,
                warmup_steps=100,
                smoothing=given.smoothing,
            ),
            RowBatches(features, learned, targets, weights, seed=given.seed),
            RowBatches(features, chosen, targets, weights, seed=None),
            history=history,
            show_progress=True,
        )
    name = given.name or given.leave_out or "all"
    out = given.work / name
    out.mkdir(exist_ok=True)
    model.save_weights(out / "model.weights.h5")
    unseen = np.flatnonzero(~np.isin(rows.image, parts.train))
    unseen = unseen[~np.isin(rows.kind[unseen], ["drawn", "transplant"])]
    outputs = np.concatenate(
        [
            split.open.predict_on_batch(features[unseen[at : at + 64]].astype(np.float32))
            for at in range(0, len(unseen), 64)
        ]
    )
    part = np.full(len(dataset), "", dtype="U10")
    for role in ("train", "validation", "test", "away"):
        part[getattr(parts, role)] = role
    np.savez(
        out / "outputs.npz",
        outputs=outputs,
        image=rows.image[unseen],
        kind=rows.kind[unseen],
        part=part[rows.image[unseen]],
        label=labels[unseen],
        group=np.asarray(dataset.groups)[rows.image[unseen]],
        stripped=~np.isin(unseen, list(not_stripped)),
    )
    (out / "history.json").write_text(json.dumps(history))
    print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
