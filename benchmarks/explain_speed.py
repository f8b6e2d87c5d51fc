"""Compare the rate of Grad-CAM with that of plain predictions, side by side in one process.

    python benchmarks/explain_speed.py [--model brain-mri] [--images 256] [--rounds 5]
        [--json explain_speed.json]

Rounds alternate, so that a busy machine slows all alike; the best round of each counts.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="brain-mri")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.explain import explain_batch, read_pooled_head
    from mri_tumor.explain.targets import resolve_targets

    model = TumorClassifier.from_pretrained(options.model).model_
    shape = (options.images, *model.input_shape[1:])
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
    features = features_of(model)
    head = read_pooled_head(model)

    def closed_form():
        for start in range(0, len(images), options.batch_size):
            values = features(images[start : start + options.batch_size])
            head.probabilities(values)
            head.grad_cam(values, shape=images.shape[1:3])

    def each_cell():
        targets = resolve_targets(None, n_images=options.batch_size, n_classes=head.n_classes)
        for start in range(0, len(images), options.batch_size):
            values = features(images[start : start + options.batch_size])
            head.probabilities(values)
            head.cell_evidence(values, targets[: len(values)], shape=images.shape[1:3])

    def compiled():
        for start in range(0, len(images), options.batch_size):
            head.probabilities(features(images[start : start + options.batch_size]))

    ways = {
        "keras predict": lambda: model.predict(images, batch_size=options.batch_size, verbose=0),
        "compiled prediction": compiled,
        "grad_cam (with probabilities)": lambda: explain_batch(
            model, images, batch_size=options.batch_size
        ),
        "closed form (with probabilities)": closed_form,
        "head_cam (with probabilities)": each_cell,
    }
    best = dict.fromkeys(ways, 0.0)
    for number in range(options.rounds + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if number:
                best[name] = max(best[name], len(images) / (time.perf_counter() - start))
    for name, rate in best.items():
        print(f"{name:34} {rate:8.1f} images/s  {rate / best['keras predict']:6.1%} of predict")
    if options.json:
        base = best["keras predict"]
        rows = {
            name: {"images_per_second": rate, "of_predict": rate / base}
            for name, rate in best.items()
        }
        rows["closed form, of compiled prediction"] = (
            best["closed form (with probabilities)"] / best["compiled prediction"]
        )
        rows["head_cam, of compiled prediction"] = (
            best["head_cam (with probabilities)"] / best["compiled prediction"]
        )
        options.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def features_of(model):
    """Return a compiled function from images to the feature map, as an array."""
    import keras
    import tensorflow as tf

    part = keras.Model(model.input, model.get_layer("feature_map").output)
    spec = [tf.TensorSpec(model.input_shape, tf.float32)]
    run = tf.function(lambda images: part(images, training=False), input_signature=spec)
    return lambda images: np.asarray(run(images))


if __name__ == "__main__":
    main()
