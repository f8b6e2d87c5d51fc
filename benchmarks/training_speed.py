"""Set `fit` with fine-tuning beside the plain Keras script: seconds to the same test accuracy.

    python benchmarks/training_speed.py ../shared/data/brain-tumor-mri/Training --json training.json

Both learn from the same images and are tested on the same others, split by near-duplicate group.
The plain script is that of most notebooks at its documented best: images from folders, decoded once
and cached, prefetched, augmented by layers, a head on frozen MobileNetV2 with Adam at 1e-3 and early
stopping, then the last 20 layers at 1e-4 along a cosine. Its clock stops while it is tested.
Ours is timed from the list of files to the trained model, decoding and the computation of the
frozen part included, in an empty cache. The time is the plain script's to its best test accuracy,
over ours where that is as good. Without a folder of images nothing is measured.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

OURS = {
    "quickest": {"n_variants": 1, "epochs": 10, "finetune_epochs": 2},
    # As many layers as the plain script opens; the others open the default's 38.
    "20 layers": {"n_variants": 1, "epochs": 5, "finetune_epochs": 3, "finetune_layers": 20},
    "quick": {"n_variants": 2, "epochs": 10, "finetune_epochs": 1},
    "quick, two epochs": {"n_variants": 2, "epochs": 10, "finetune_epochs": 2},
    "default": {"finetune_epochs": 3},
}


def folders(dataset, root):
    """Link the parts into a folder for each class, as Keras' loader wants them."""
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    for name, part in parts.items():
        for i, (path, label) in enumerate(zip(part.paths, part.labels, strict=True)):
            place = root / name / label / f"{i:05d}{Path(path).suffix}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(Path(path).resolve())


def run_plain(dataset, head_epochs, tuned_epochs):
    """Yield (seconds, test accuracy) after each epoch of the plain script."""
    import keras
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as root:
        folders(dataset, Path(root))

        def part(name, shuffle):
            found = keras.utils.image_dataset_from_directory(
                f"{root}/{name}", label_mode="categorical", image_size=(224, 224), batch_size=32,
                shuffle=shuffle, seed=0, verbose=False,
            )  # fmt: skip
            return found.cache().prefetch(tf.data.AUTOTUNE)

        keras.utils.set_random_seed(0)
        start = time.perf_counter()
        train, validation, test = (part(n, n == "train") for n in ("train", "validation", "test"))
        backbone = keras.applications.MobileNetV2(
            input_shape=(224, 224, 3), include_top=False, weights="imagenet"
        )
        backbone.trainable = False
        image = keras.Input((224, 224, 3))
        values = keras.layers.RandomFlip("horizontal")(image)
        values = keras.layers.RandomRotation(0.05)(values)
        values = keras.layers.RandomTranslation(0.1, 0.1)(values)
        values = keras.layers.RandomZoom(0.1)(values)
        values = keras.layers.Rescaling(1 / 127.5, offset=-1)(values)
        values = backbone(values, training=False)
        values = keras.layers.GlobalAveragePooling2D()(values)
        values = keras.layers.Dense(128, activation="relu")(values)
        values = keras.layers.Dropout(0.5)(values)
        model = keras.Model(image, keras.layers.Dense(4, activation="softmax")(values))
        rows, paused = [], [0.0]

        class Tested(keras.callbacks.Callback):
            def on_epoch_end(self, *_epoch_and_logs, **_more):
                now = time.perf_counter()
                outputs = model.predict(test, verbose=0)
                right = outputs.argmax(1) == np.concatenate([np.argmax(y, 1) for _, y in test])
                rows.append((now - start - paused[0], float(right.mean())))
                paused[0] += time.perf_counter() - now
                print(f"plain: {rows[-1][0]:.0f} s, {rows[-1][1]:.4f}", flush=True)

        stop = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
        stages = [(keras.optimizers.Adam(1e-3), head_epochs)]
        steps = tuned_epochs * len(train)
        stages.append(
            (
                keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-4, steps)),
                tuned_epochs,
            )
        )
        for k, (optimizer, epochs) in enumerate(stages):
            if k:
                backbone.trainable = True
                for layer in backbone.layers[:-20]:
                    layer.trainable = False
            model.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
            model.fit(
                train, validation_data=validation, epochs=epochs, callbacks=[Tested(), stop],
                verbose=0,
            )  # fmt: skip
        return rows


def run_ours(dataset, settings):
    """Return seconds and test accuracy of one training."""
    import keras  # noqa: F401 - the plain script's clock starts behind this, too

    from mri_tumor import TumorClassifier

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        model = TumorClassifier(cache=folder, **settings)
        model.fit(dataset.train, validation_data=dataset.validation)
        seconds = time.perf_counter() - start
    return seconds, float(np.mean(model.predict(dataset.test) == np.array(dataset.test.labels)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with a folder for each class")
    parser.add_argument("--head-epochs", type=int, default=5, help="of the plain script")
    parser.add_argument("--tuned-epochs", type=int, default=10, help="of the plain script")
    parser.add_argument("--ours", nargs="+", choices=OURS, default=list(OURS), metavar="NAME")
    parser.add_argument(
        "--plain-from", type=Path, help="result of this machine whose plain script is taken over"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"{options.data}: no images are here; nothing to measure")
        return
    from mri_tumor import load_dataset

    dataset = load_dataset(options.data)
    ours = {}
    for name in options.ours:
        seconds, accuracy = run_ours(dataset, OURS[name])
        ours[name] = {"seconds": seconds, "test_accuracy": accuracy, **OURS[name]}
        print(f"{name}: {seconds:.0f} s, {accuracy:.4f}", flush=True)
    if options.plain_from:
        before = json.loads(options.plain_from.read_text("utf-8"))
        plain = [(row["seconds"], row["test_accuracy"]) for row in before["plain"]]
        ours = before["ours"] | ours
    else:
        plain = run_plain(dataset, options.head_epochs, options.tuned_epochs)
    best = max(accuracy for _, accuracy in plain)
    reached = next(seconds for seconds, accuracy in plain if accuracy == best)
    as_good = [one["seconds"] for one in ours.values() if one["test_accuracy"] >= best]
    ratio = reached / min(as_good) if as_good else None
    print(f"plain: {best:.4f} after {reached:.0f} s; ratio {ratio and round(ratio, 1)}")
    result = {
        "machine": {"processor": platform.processor(), "processors": os.cpu_count()},
        "versions": {name: version(name) for name in ("mri-tumor", "keras", "tensorflow")},
        "ours": ours,
        "plain": [{"seconds": s, "test_accuracy": a} for s, a in plain],
        "ratio_to_plain_best": ratio,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
