"""Measure a training that one worker does, and that two share, and compare what they learn.

    python benchmarks/scale_training.py --images 256 --workers 1 2 --json training.json

Each worker is a process of its own on this machine, bound to one processor, and meets the others
over loopback as machines meet over a network. The images are phantoms; the backbone is MobileNetV2,
whose last 20 layers learn on cached activations after an epoch of the head. Timed are the epochs of
fine-tuning after the first, in which graphs are compiled. Processor seconds are those of all workers
together: on a machine that others use they say what the clock does not.

What they learn differs by the order of sums alone, which Adam makes larger with each step. To see how
much of a difference that order makes by itself, one worker trains again without oneDNN, whose sums have
another order.

Prints a table; ``--json`` writes the numbers. Research software, not a medical device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

VARIANTS, BATCH, EPOCHS = 2, 32, 3


def work(place, given):
    """Train, as one worker; write what was measured."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {place % os.cpu_count()})
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from mri_tumor.training.workers import open_workers

    open_workers("multi-worker")
    from mri_tumor import TumorClassifier, make_phantoms

    spent = timed_epochs()
    phantoms = make_phantoms(given["images"], size=160, seed=0)
    began, cpu = time.perf_counter(), time.process_time()
    classifier = TumorClassifier(
        weights="brain-mri", input_size=160, n_variants=VARIANTS, batch_size=BATCH, epochs=1,
        finetune_epochs=EPOCHS, strategy="multi-worker", cache=given["cache"], seed=0,
    )  # fmt: skip
    classifier.fit(phantoms.images, phantoms.labels, groups=np.arange(given["images"]))
    seconds = time.perf_counter() - began
    history = classifier.history_
    steady = [s for s, name in zip(history["seconds"], history["stage"], strict=True)
              if name == "finetune"][1:]  # fmt: skip
    result = {
        "seconds": seconds,
        "cpu_seconds": time.process_time() - cpu,
        "seconds_per_epoch": float(np.mean(steady)),
        "cpu_seconds_per_epoch": float(np.mean(spent[-len(steady) :])),
        "loss": history["loss"],
        "validation": history["val_loss"],
    }
    np.savez(
        f"{given['folder']}/{given['name']}-{place}.npz",
        *classifier.model_.get_weights(),
        probabilities=classifier.predict_proba(phantoms.images[:64]),
    )
    Path(f"{given['folder']}/{given['name']}-{place}.json").write_text(json.dumps(result))


def timed_epochs():
    """Return a list that gets the processor seconds of each epoch, of this process."""
    from mri_tumor.training import loop

    spent, began = [], []
    begin, end = loop.Reporter.on_epoch_begin, loop.Reporter.on_epoch_end

    def on_begin(self, epoch, logs=None):
        began.append(time.process_time())
        begin(self, epoch, logs)

    def on_end(self, epoch, logs=None):
        spent.append(time.process_time() - began[-1])
        end(self, epoch, logs)

    loop.Reporter.on_epoch_begin, loop.Reporter.on_epoch_end = on_begin, on_end
    return spent


def train(workers, images, folder, *, name=None, **environment):
    """Train with so many workers; give their results."""
    name = name or str(workers)
    ports = []
    for _ in range(workers):
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            ports.append(one.getsockname()[1])
    processes = []
    for place in range(workers):
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        config = {"cluster": cluster, "task": {"type": "worker", "index": place}}
        given = {
            "images": images, "workers": workers, "folder": folder,
            "cache": f"{folder}/cache-{name}-{place}", "name": name,
        }  # fmt: skip
        processes.append(
            subprocess.Popen(
                [sys.executable, __file__, "--work", str(place), json.dumps(given)],
                env={**os.environ, "TF_CONFIG": json.dumps(config), **environment},
            )
        )
    if sum(process.wait() != 0 for process in processes):
        raise SystemExit("a worker failed")
    return [
        json.loads(Path(f"{folder}/{name}-{place}.json").read_text()) for place in range(workers)
    ]


def difference(one, other):
    """Return the largest difference of weights and probabilities."""
    with np.load(one) as first, np.load(other) as second:
        return {
            "weights": max(
                float(np.abs(first[n] - second[n]).max())
                for n in first.files
                if n != "probabilities"
            ),
            "probabilities": float(np.abs(first["probabilities"] - second["probabilities"]).max()),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(int(options.work[0]), json.loads(options.work[1]))
        return
    # What `fit` leaves to learn from: the rest chooses the epoch.
    rows = round(options.images * 0.85) * VARIANTS
    found, different = [], {}
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        for workers in options.workers:
            results = train(workers, options.images, folder)
            cpu = sum(one["cpu_seconds"] for one in results)
            seconds = max(one["seconds_per_epoch"] for one in results)
            row = {
                "workers": workers,
                "images_per_second": rows / seconds,
                "images_per_cpu_second": rows
                / sum(one["cpu_seconds_per_epoch"] for one in results),
                "cpu_seconds": cpu,
                "seconds": max(one["seconds"] for one in results),
                "losses": results[0]["loss"],
                "validation_losses": results[0]["validation"],
            }
            row["efficiency_by_clock"] = (
                row["images_per_second"] / found[0]["images_per_second"] / workers
                if found
                else 1.0
            )
            row["efficiency_by_cpu"] = (
                row["images_per_cpu_second"] / found[0]["images_per_cpu_second"] if found else 1.0
            )
            found.append(row)
            print(json.dumps(row), flush=True)
            if workers > 1:
                different[f"workers_of_{workers}"] = difference(
                    f"{folder}/{workers}-0.npz", f"{folder}/{workers}-{workers - 1}.npz"
                )
                different[f"one_and_{workers}"] = difference(
                    f"{folder}/{options.workers[0]}-0.npz", f"{folder}/{workers}-0.npz"
                )
        train(1, options.images, folder, name="rounded", TF_ENABLE_ONEDNN_OPTS="0")
        different["one_and_itself_rounded"] = difference(
            f"{folder}/{options.workers[0]}-0.npz", f"{folder}/rounded-0.npz"
        )
    result = {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, shared with other work",
        "images": options.images,
        "batch_size": BATCH,
        "runs": found,
        "largest_differences": different,
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
