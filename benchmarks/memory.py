"""Measure the peak memory of a folder prediction and of the training input, by number of files.

The files are hard links to a few synthetic slices of 128 x 128 pixels, in folders of a thousand;
the backbone has two convolutions, so that what grows is the library's and not the network's.
Each figure is the largest resident set of a process of its own, TensorFlow included.

    python benchmarks/memory.py --files 1000 100000 --json memory.json
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def make_tree(folder, n_files):
    from PIL import Image

    from mri_tumor import make_phantoms

    originals = []
    folder.mkdir(parents=True)
    for i, image in enumerate(make_phantoms(8, size=128, seed=1).images):
        originals.append(folder.parent / f"original-{i}.png")
        Image.fromarray(image).save(originals[-1])
    for i in range(n_files):
        place = folder / f"{i // 1000:04d}"
        place.mkdir(exist_ok=True)
        os.link(originals[i % 8], place / f"{i:06d}.png")


def make_model(folder):
    from kills import register_tiny

    from mri_tumor import TumorClassifier, make_phantoms

    register_tiny()
    phantoms = make_phantoms(48, size=96, seed=0)
    made = TumorClassifier("tiny", weights=None, epochs=2).fit(phantoms.images, phantoms.labels)
    made.save(folder)


def predict(tree, model, output):
    from mri_tumor.cli.main import main

    sys.argv = ["mri-tumor", "predict", tree, "--model", model, "--output", output]
    main()


def stream(tree, _model, _output):
    """Run through the training input once, variants drawn and all."""
    from mri_tumor.framework import load_quietly

    load_quietly()
    from mri_tumor.images import list_images
    from mri_tumor.images.collection import as_collection
    from mri_tumor.images.preprocessing import Preprocessing
    from mri_tumor.training.augmentation import Variants, get_augmentation
    from mri_tumor.training.pipeline import image_dataset

    images = as_collection([str(path) for path in list_images(tree)])
    variants = Variants(Preprocessing(size=64), get_augmentation("standard"), 0)
    count = 0
    for positions, _ in image_dataset(images, variants, variant=1).batch(32).prefetch(2):
        count += len(positions)
    assert count == len(images)


JOBS = {"prediction": predict, "training input": stream}


def measure(job, tree, model, output):
    """Run a job in a process of its own; return its seconds and largest memory in MB."""
    command = [sys.executable, __file__, "--job", job, *map(str, (tree, model, output))]
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{job} failed ({process.returncode})")
    # Linux counts kilobytes.
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--files", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--job", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        job, *rest = options.job
        JOBS[job](*rest)
        return
    found = []
    print(f"{'job':16}{'files':>10}{'seconds':>10}{'files/s':>10}{'peak MB':>10}")
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        work = Path(folder)
        subprocess.run(
            [sys.executable, "-c", f"import memory; memory.make_model({str(work / 'model')!r})"],
            check=True, cwd=Path(__file__).parent,
        )  # fmt: skip
        for n_files in options.files:
            tree = work / str(n_files) / "tree"
            make_tree(tree, n_files)
            for job in JOBS:
                output = work / f"{n_files}.jsonl"
                seconds, peak = measure(job, tree, work / "model", output)
                row = {"job": job, "files": n_files, "seconds": seconds, "peak_mb": peak}
                found.append(row)
                print(
                    f"{job:16}{n_files:10}{seconds:10.1f}{n_files / seconds:10.0f}{peak:10.0f}",
                    flush=True,
                )
                if job == "prediction":
                    lines = sum(1 for _ in output.open())
                    assert lines == n_files, (lines, n_files)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
