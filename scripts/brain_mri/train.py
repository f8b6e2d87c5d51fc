"""Train the packaged model, or one that leaves sources out, on features computed before."""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from features import FIRST_OPEN, PART, build, features_folder
from looking import add_looking
from parts import LEFT_OUT, Parts, appearance_clusters, make_parts
from rows import CLASSES, FAILURES, Rows, load, plan_rows, read_boxes

from mri_tumor.model import open_layers, seeded, split_model
from mri_tumor.training.checkpoint import Checkpoint
from mri_tumor.training.loop import Stage, run_stage
from mri_tumor.training.targets import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.data import Dataset


class RowBatches(keras.utils.PyDataset):
    """Batches of rows in an order that follows from seed and epoch; in order without a seed.

    With features of mirror images as well, half of the rows are mirrored, but none without a seed.
    """

    def __init__(
        self,
        features: NDArray[np.float16],
        rows: NDArray[np.intp],
        targets: NDArray[np.float32],
        weights: NDArray[np.float32],
        *,
        seed: int | None,
        cover: NDArray[np.float16] | None = None,
        mixing: float = 0.0,
    ) -> None:
        super().__init__()
        self.cover, self.mixing = cover, mixing
        self.features, self.targets, self.weights = features, targets, weights
        self.rows, self.seed = rows, seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch."""
        self.order, self.epoch = self.rows, epoch
        if self.seed is not None:
            self.order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)

    def __len__(self) -> int:
        return math.ceil(len(self.order) / 32)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rows = self.order[index * 32 : (index + 1) * 32]
        side = np.zeros(len(rows), dtype=bool)
        if self.seed is not None and self.features.ndim == 5:
            side = np.random.default_rng([self.seed, self.epoch, index]).random(len(rows)) < 0.5
        inputs: Any = take(self.features, rows, side)
        if self.seed is not None and self.mixing:
            rng = np.random.default_rng([self.seed, self.epoch, index])
            inputs = mix_styles(inputs, self.mixing, rng)
        if self.cover is not None:
            cover = self.cover[rows].astype(np.float32)
            cover[side] = cover[side, :, ::-1]
            inputs = (inputs, cover)
        return inputs, self.targets[rows], self.weights[rows]


def take(
    features: NDArray[np.float16], rows: NDArray[np.intp], side: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Return features of rows, of their mirror images where `side` says so, as float32."""
    if features.ndim == 4:
        return features[rows].astype(np.float32)
    return features[rows, 0 if side is None else side.astype(int)].astype(np.float32)


def mix_styles(
    features: NDArray[np.float32], share: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Give a share of a batch mean and spread of each channel that lie between two pictures'.

    After Zhou et al., "Domain generalization with MixStyle", ICLR 2021. arXiv:2104.02008
    """
    n = len(features)
    mean = features.mean(axis=(1, 2), keepdims=True)
    spread = features.std(axis=(1, 2), keepdims=True) + 1e-6
    other = rng.permutation(n)
    kept = rng.beta(0.1, 0.1, (n, 1, 1, 1)).astype(np.float32)
    kept[rng.random(n) >= share] = 1.0
    new_mean = kept * mean + (1 - kept) * mean[other]
    new_spread = kept * spread + (1 - kept) * spread[other]
    return np.asarray((features - mean) / spread * new_spread + new_mean)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one or more sets of variants, with their features.

    Parameters
    ----------
    rows : Rows
        What each row is.
    features : ndarray of float16, shape (n, h, w, c) or (n, 2, h, w, c)
        The frozen part's output; with mirror images, of each row and of its mirror image.
    cover : ndarray of float16, shape (n, 7, 7)
        Part of each cell of the last feature map that the tumor covers, -1 where unknown.
    without_lesion, not_stripped, not_erased : ndarray of bool, shape (n,)
        Where no lesion could be put in, no skull found, or no tumor taken out.
    """

    rows: Rows
    features: NDArray[np.float16]
    cover: NDArray[np.float16]
    without_lesion: NDArray[np.bool_]
    not_stripped: NDArray[np.bool_]
    not_erased: NDArray[np.bool_]


def read_table(
    work: Path, dataset: Dataset, boxes: dict[int, Any], n_sets: int, first_open: str = FIRST_OPEN
) -> Table:
    """Read what features.py and places.py computed with the seeds 0, 1, ..., n_sets - 1."""
    plans = [plan_rows(dataset, boxes, seed=seed) for seed in range(n_sets)]
    total = sum(len(plan.image) for plan in plans)
    features: NDArray[np.float16] | None = None
    flags = {name: np.zeros(total, dtype=bool) for name in FAILURES}
    first = 0
    for seed, plan in enumerate(plans):
        for start in range(0, len(plan.image), PART):
            file = features_folder(work, seed, first_open) / f"{start:06d}.npy"
            part = np.load(file, allow_pickle=False)
            if features is None:
                features = np.empty((total, *part.shape[1:]), np.float16)
            features[first + start : first + start + len(part)] = part
            for name, rows in json.loads(file.with_suffix(".json").read_text()).items():
                flags[name][[first + row for row in rows]] = True
        first += len(plan.image)
    assert features is not None
    cover = [np.load(work / f"places-{seed}.npy", allow_pickle=False) for seed in range(n_sets)]
    joined = Rows(
        *(
            np.concatenate([getattr(plan, name) for plan in plans])
            for name in ("image", "kind", "donor")
        )
    )
    return Table(joined, features, np.concatenate(cover), *(flags[name] for name in FAILURES))


def row_labels(dataset: Dataset, table: Table) -> NDArray[np.str_]:
    """Return the label of each row.

    A healthy slice with a lesion is a tumor of unknown kind, one whose tumor is gone is healthy.
    """
    labels = np.array(dataset.labels, dtype=object)[table.rows.image]
    labels[np.isin(table.rows.kind, ["drawn", "transplant"]) & ~table.without_lesion] = "tumor"
    labels[(table.rows.kind == "erased") & ~table.not_erased] = "notumor"
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
    parser.add_argument("--without", nargs="*", default=[], help="kinds and sources to leave out")
    parser.add_argument("--unseen", nargs="*", default=[], help="people to leave out and test on")
    parser.add_argument("--smoothing", type=float, default=0.0, help="of the labels")
    parser.add_argument("--healthy-weight", type=float, default=2.0)
    parser.add_argument("--looking", type=float, default=0.5, help="weight of the cells' loss")
    parser.add_argument("--mixing", type=float, default=0.0, help="share with mixed styles")
    parser.add_argument("--sets", type=int, default=1, help="sets of variants to learn from")
    parser.add_argument("--open", default=FIRST_OPEN, help="first layer to learn")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--last", action="store_true", help="keep the last epoch, not the best")
    parser.add_argument("--name", help="of the output; by default what is left out")
    given = parser.parse_args()
    started = time.perf_counter()
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    table = read_table(given.work, dataset, boxes, given.sets, given.open)
    parts = divide(dataset, table, set(boxes), given)
    labels = row_labels(dataset, table)
    learned = training_rows(table.rows, parts, len(dataset))
    learned = learned[
        ~np.isin(table.rows.kind[learned], given.without)
        & ~np.isin(np.array(dataset.sources)[table.rows.image[learned]], given.without)
    ]
    print(
        f"{len(parts.train)} images, {len(learned)} rows to learn from; validation "
        f"{len(parts.validation)}, test {len(parts.test)}, away {len(parts.away)}",
        flush=True,
    )
    model, n_open = build(given.seed, given.open)
    if given.start:
        model.load_weights(given.start)
    open_layers(model, n_open)
    split = split_model(model)
    assert split is not None
    out = given.work / (given.name or given.leave_out or "all")
    out.mkdir(exist_ok=True)
    with Checkpoint(out / "unfinished") as kept:
        kept.begin({name: str(value) for name, value in vars(given).items()})
        history = learn(model, split.open, table, labels, learned, parts, given, kept)
        kept.remove()
    model.save_weights(out / "model.weights.h5")
    (out / "history.json").write_text(json.dumps(history))
    write_outputs(out / "outputs.npz", split.open, table, labels, dataset, parts)
    print(f"{out.name}: {time.perf_counter() - started:.0f} s", flush=True)


def divide(dataset: Dataset, table: Table, boxed: set[int], given: argparse.Namespace) -> Parts:
    """Divide the images; healthy slices cluster by the mean and spread of their features."""
    plain = np.flatnonzero(table.rows.kind == "plain")
    return make_parts(
        dataset,
        leave_out=given.leave_out,
        boxed=boxed,
        clusters=appearance_clusters(
            dataset, read_looks(given.work, plain), n=len(LEFT_OUT), seed=0
        ),
        validation=0.1,
        test=given.test,
        seed=given.seed,
        unseen=given.unseen,
    )


def read_looks(work: Path, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return mean and spread of each channel of rows of the first set, (n, 2 * c)."""
    looks = []
    for start in np.unique(rows // PART) * PART:
        part = np.load(features_folder(work, 0) / f"{start:06d}.npy", allow_pickle=False)
        for row in rows[rows // PART * PART == start]:
            one = part[row - start].astype(np.float32)
            looks.append(np.concatenate([one.mean(axis=(0, 1)), one.std(axis=(0, 1))]))
    return np.array(looks)


def learn(
    whole: keras.Model,
    model: keras.Model,
    table: Table,
    labels: NDArray[np.str_],
    learned: NDArray[np.intp],
    parts: Parts,
    given: argparse.Namespace,
    checkpoint: Checkpoint,
) -> dict[str, list[Any]]:
    """Train the open part, from where it was stopped; the best epoch is kept."""
    targets = encode(labels.tolist(), CLASSES, "notumor")
    cover = None
    if given.looking:
        model = add_looking(model, whole, weight=given.looking, negative=CLASSES.index("notumor"))
        cover = table.cover
    weights = np.where(labels == "notumor", given.healthy_weight, 1.0).astype(np.float32)
    chosen = np.flatnonzero(
        (table.rows.kind == "plain") & np.isin(table.rows.image, parts.validation)
    )
    state = checkpoint.state()
    history: dict[str, list[Any]] = dict(state.history) if state else {}
    with seeded(given.seed):
        run_stage(
            model,
            Stage(
                name="finetune",
                epochs=given.epochs,
                learning_rate=given.rate,
                patience=given.epochs,
                weight_decay=0.01,
                warmup_steps=100,
                smoothing=given.smoothing,
                keep_best=not given.last,
            ),
            RowBatches(
                table.features,
                learned,
                targets,
                weights,
                seed=given.seed,
                cover=cover,
                mixing=given.mixing,
            ),
            RowBatches(table.features, chosen, targets, weights, seed=None, cover=cover),
            history=history,
            checkpoint=checkpoint,
            kept=state,
        )
    return history


def write_outputs(
    path: Path,
    model: keras.Model,
    table: Table,
    labels: NDArray[np.str_],
    dataset: Dataset,
    parts: Parts,
) -> None:
    """Write the outputs for every row of an image that was not trained on."""
    rows = table.rows
    unseen = np.flatnonzero(
        ~np.isin(rows.image, parts.train) & ~np.isin(rows.kind, ["drawn", "transplant", "patched"])
    )
    outputs = [
        model.predict_on_batch(take(table.features, unseen[at : at + 64]))
        for at in range(0, len(unseen), 64)
    ]
    part = np.full(len(dataset), "", dtype="U10")
    for role in ("train", "validation", "test", "away"):
        part[getattr(parts, role)] = role
    np.savez(
        path,
        outputs=np.concatenate(outputs),
        image=rows.image[unseen],
        kind=rows.kind[unseen],
        part=part[rows.image[unseen]],
        label=labels[unseen],
        group=np.asarray(dataset.groups)[rows.image[unseen]],
        look=parts.clusters[rows.image[unseen]],
        stripped=~table.not_stripped[unseen],
    )


if __name__ == "__main__":
    main()
