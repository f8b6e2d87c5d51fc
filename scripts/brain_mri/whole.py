"""Train all layers of the packaged model, or of one that leaves sources out, on drawn pictures.

First what follows the frozen part of the other recipe, then everything. Runs wherever Keras does: with
TensorFlow at 33 images a second on two cores, or with `KERAS_BACKEND=jax` on a GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops
from looking import LookingLoss
from parts import Parts, rows_to_answer, save_outputs
from pictures import open_pictures
from rows import CLASSES, FAILURES, Rows, load, plan_rows, read_boxes, row_labels

from mri_tumor.backbones import get_backbone
from mri_tumor.model import FEATURE_MAP, build_model, find_backbone, open_layers
from mri_tumor.training.losses import MarginalCrossentropy, allowed_accuracy
from mri_tumor.training.targets import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mri_tumor.data import Dataset

HEAD = ("pool", "hidden", "dropout", "probabilities")
FIRST_OPEN = "block_13_expand"


class Colors(keras.layers.Layer):
    """Repeat gray values, uint8 (n, h, w), as RGB in [0, 255], float (n, h, w, 3)."""

    def call(self, values: Any) -> Any:
        """Return them three times."""
        gray = ops.cast(ops.expand_dims(values, -1), self.compute_dtype)
        return ops.concatenate([gray, gray, gray], axis=-1)


class PictureBatches(keras.utils.PyDataset):
    """Batches of drawn rows, half of them mirrored; an epoch takes one set of variants.

    Parameters
    ----------
    pictures, cover, targets, weights : sequence of ndarray
        Of each set of variants, one entry a row.
    rows : sequence of ndarray of int, shape (n, 2)
        Pairs of set and row that an epoch takes; epochs go through them in turn.
    batch : int
        Size of a batch; what is left over at the end of an epoch is not learned from.
    seed : int
        Seed of the order and of which rows are mirrored.
    """

    def __init__(
        self,
        pictures: Sequence[NDArray[np.uint8]],
        cover: Sequence[NDArray[np.float16]],
        rows: Sequence[NDArray[np.intp]],
        targets: Sequence[NDArray[np.float32]],
        weights: Sequence[NDArray[np.float32]],
        *,
        batch: int,
        seed: int,
    ) -> None:
        super().__init__(workers=6, max_queue_size=24)
        self.pictures, self.cover, self.rows = pictures, cover, rows
        self.targets, self.weights = targets, weights
        self.batch, self.seed = batch, seed
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch."""
        self.epoch = epoch
        rows = self.rows[epoch % len(self.rows)]
        self.order = np.random.default_rng([self.seed, epoch]).permutation(rows)

    def __len__(self) -> int:
        return min(len(rows) for rows in self.rows) // self.batch

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        pairs = self.order[index * self.batch : (index + 1) * self.batch]
        mirrored = np.random.default_rng([self.seed, self.epoch, index]).random(len(pairs)) < 0.5

        def gather(tables: Sequence[NDArray[Any]]) -> NDArray[Any]:
            return np.stack([tables[table][row] for table, row in pairs])

        values, cover = gather(self.pictures), gather(self.cover).astype(np.float32)
        values[mirrored], cover[mirrored] = values[mirrored, :, ::-1], cover[mirrored, :, ::-1]
        return (values, cover), gather(self.targets), gather(self.weights)


class Shuffle(keras.callbacks.Callback):
    """Tell the batches which epoch begins, and write how the last one went."""

    def __init__(self, batches: PictureBatches, stage: str, file: Path) -> None:
        super().__init__()
        self.batches, self.stage, self.file = batches, stage, file

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Draw the order of the epoch."""
        self.batches.start_epoch(epoch)
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write a row of the history."""
        seconds = time.perf_counter() - self.started
        row = {name: float(value) for name, value in (logs or {}).items()} | {"seconds": seconds}
        history = json.loads(self.file.read_text()) if self.file.exists() else {}
        for name, value in ({"stage": self.stage} | row).items():
            history.setdefault(name, []).append(value)
        self.file.write_text(json.dumps(history))
        print(
            f"{self.stage} {epoch + 1}: " + ", ".join(f"{k} {v:.4f}" for k, v in row.items()),
            flush=True,
        )


def build(seed: int) -> keras.Model:
    """Return the untrained model."""
    return build_model(get_backbone("MobileNetV2"), n_classes=len(CLASSES), seed=seed)


def to_train(whole: keras.Model, weight: float) -> keras.Model:
    """Return a model of gray pictures and covered cells that shares all layers."""
    size = whole.input_shape[1]
    gray = keras.Input((size, size), dtype="uint8", name="gray")
    cover = keras.Input((7, 7), dtype="float32", name="cover")
    values = Colors()(gray)
    names = [layer.name for layer in whole.layers]
    for layer in whole.layers[1 : names.index(FEATURE_MAP) + 1]:
        values = layer(values)
    pool, *head = (whole.get_layer(name) for name in HEAD)
    outputs, cells = pool(values), values
    for layer in head:
        outputs, cells = layer(outputs), layer(cells)
    looking = LookingLoss(weight, CLASSES.index("notumor"))
    return keras.Model([gray, cover], looking(outputs, cells, cover))


def read_sets(
    work: Path, dataset: Dataset, boxes: dict[int, Any], n_sets: int
) -> list[tuple[Rows, NDArray[np.str_], NDArray[np.bool_]]]:
    """Return the rows of each set, their labels, and where no skull was found."""
    found = []
    for seed in range(n_sets):
        rows = plan_rows(dataset, boxes, seed=seed)
        failures = json.loads((work / f"pictures-{seed}" / "failures.json").read_text())
        flags = {name: np.zeros(len(rows.image), dtype=bool) for name in FAILURES}
        for part in failures.values():
            for name, failed in part.items():
                flags[name][failed] = True
        labels = row_labels(
            dataset,
            rows,
            without_lesion=flags["without_lesion"],
            not_erased=flags["not_erased"],
        )
        found.append((rows, labels, flags["not_stripped"]))
    return found


def main() -> None:
    """Train, and write the outputs for every row of an image that was not trained on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of pictures.py")
    parser.add_argument("--name", required=True, help="of the output; divide.py was there")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rate", type=float, default=2e-4)
    parser.add_argument("--last-part-epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", type=int, default=1)
    parser.add_argument("--without", nargs="*", default=[], help="kinds and sources to leave out")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--open", default="all", help="first layer to learn in the end")
    parser.add_argument("--looking", type=float, default=0.5, help="weight of the cells' loss")
    parser.add_argument("--steps", type=int, help="per epoch, for a trial")
    given = parser.parse_args()
    started = time.perf_counter()
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    tables = read_sets(given.work, dataset, boxes, given.sets)
    pictures, cover = zip(
        *(open_pictures(given.work / f"pictures-{seed}") for seed in range(given.sets)),
        strict=True,
    )
    out = given.work / given.name
    with np.load(out / "parts.npz") as kept:
        parts = Parts(**{name: kept[name] for name in kept.files})
    known = np.zeros(len(dataset) + 1, dtype=bool)
    known[parts.train] = True
    known[-1] = True  # no donor
    sources = np.array(dataset.sources)
    chosen = []
    for rows, _, _ in tables:
        use = known[rows.image] & known[rows.donor] & (rows.kind != "stripped")
        use &= ~np.isin(rows.kind, given.without) & ~np.isin(sources[rows.image], given.without)
        chosen.append(np.flatnonzero(use))
    plain = chosen[0][tables[0][0].kind[chosen[0]] == "plain"]
    epochs = [np.stack([np.full(len(rows), i), rows], axis=1) for i, rows in enumerate(chosen)]
    first = np.stack([np.zeros(len(plain), int), plain], axis=1)
    epochs = [epochs[0], *(np.concatenate([one, first]) for one in epochs[1:])]
    labels = [names for _, names, _ in tables]
    batches = PictureBatches(
        pictures,
        cover,
        epochs,
        [encode(names.tolist(), CLASSES, "notumor") for names in labels],
        [np.where(names == "notumor", 2.0, 1.0).astype(np.float32) for names in labels],
        batch=given.batch,
        seed=given.seed,
    )
    keras.utils.set_random_seed(given.seed)
    whole = build(given.seed)
    if given.start:
        whole.load_weights(given.start)
    print(f"{given.name}: {len(parts.train)} images, {len(batches)} steps an epoch", flush=True)
    unfinished = [out / f"unfinished-{stage}" for stage in ("last", "whole")]
    if not any(path.exists() for path in unfinished):
        (out / "history.json").unlink(missing_ok=True)
    names = [layer.name for layer in find_backbone(whole).layers]
    opened = 0 if given.open == "all" else names.index(given.open)
    stages = [
        ("last", names.index(FIRST_OPEN), given.last_part_epochs, 2 * given.rate),
        ("whole", opened, given.epochs, given.rate),
    ]
    for (stage, opened, n_epochs, rate), kept_in in zip(stages, unfinished, strict=True):
        if not n_epochs or (stage == "last" and unfinished[1].exists()):
            continue
        open_layers(whole, len(names) - opened)
        model = to_train(whole, given.looking)
        steps = given.steps or len(batches)
        model.compile(
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(
                    rate / 10,
                    max(n_epochs * steps - min(100, steps), 1),
                    alpha=0.05,
                    warmup_target=rate,
                    warmup_steps=min(100, steps),
                ),
                weight_decay=0.01,
            ),
            loss=MarginalCrossentropy(),
            metrics=[keras.metrics.MeanMetricWrapper(allowed_accuracy, name="accuracy")],
            jit_compile="auto" if keras.backend.backend() != "tensorflow" else False,
        )
        model.fit(
            batches,
            epochs=n_epochs,
            steps_per_epoch=given.steps,
            verbose=0,
            callbacks=[
                Shuffle(batches, stage, out / "history.json"),
                keras.callbacks.BackupAndRestore(str(kept_in)),
            ],
        )
    whole.save_weights(out / "model.weights.h5")
    write_outputs(out / "outputs.npz", whole, pictures[0], tables[0], dataset, parts)
    print(f"{given.name}: {time.perf_counter() - started:.0f} s", flush=True)


def write_outputs(
    path: Path,
    whole: keras.Model,
    pictures: NDArray[np.uint8],
    table: tuple[Rows, NDArray[np.str_], NDArray[np.bool_]],
    dataset: Dataset,
    parts: Parts,
) -> None:
    """Write the outputs for every row of an image that was not trained on."""
    rows, labels, not_stripped = table
    asked = rows_to_answer(rows, parts)
    gray = keras.Input(pictures.shape[1:], dtype="uint8")
    answer = keras.Model(gray, whole(Colors()(gray)))
    batch = 128
    padded = np.concatenate([asked, np.zeros(-len(asked) % batch, int)])
    outputs = [
        np.asarray(
            ops.convert_to_numpy(answer.predict_on_batch(pictures[padded[at : at + batch]]))
        )
        for at in range(0, len(padded), batch)
    ]
    found = np.concatenate(outputs)[: len(asked)]
    save_outputs(path, found, dataset, rows, labels, not_stripped, parts)


if __name__ == "__main__":
    main()
