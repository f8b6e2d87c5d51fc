"""Set a training that keeps the memory it freed beside one that does not, in turn.

    python benchmarks/freed_memory.py --json freed_memory.json

Each is a process of its own: a head and two epochs of fine-tuning on synthetic slices, from the
weights that ship. The one beside has glibc's tunables set to what they are anyway, which tells the
library to leave the allocator alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# glibc's own default on 64 bits.
AS_IT_IS = {"GLIBC_TUNABLES": "glibc.malloc.arena_test=8"}


def train(folder):
    """Train, and print seconds, seconds of the system, and peak memory."""
    import resource
    import time

    from mri_tumor import TumorClassifier, load_dataset

    data = load_dataset(folder)
    with tempfile.TemporaryDirectory() as cache:
        classifier = TumorClassifier(
            weights="brain-mri", epochs=3, finetune_epochs=2, cache=cache, seed=0
        )
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        classifier.fit(data.train, validation_data=data.validation)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "seconds": seconds,
        "seconds of the system": after.ru_stime - before.ru_stime,
        "page faults": after.ru_minflt - before.ru_minflt,
        "peak, MB": after.ru_maxrss / 1000,
    }
    print(json.dumps(figures))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the figures here too")
    parser.add_argument("--train", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.train:
        train(given.train)
        return
    from mri_tumor import make_phantoms

    found = {"kept": [], "given back": []}
    with tempfile.TemporaryDirectory() as folder:
        make_phantoms(given.images, folder=folder, seed=0)
        for _ in range(given.rounds):
            for name, rows in found.items():
                done = subprocess.run(
                    [sys.executable, __file__, "--train", folder],
                    env=os.environ | ({} if name == "kept" else AS_IT_IS),
                    check=True,
                    capture_output=True,
                    text=True,
                )
                rows.append(json.loads(done.stdout.splitlines()[-1]))
    figures = {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for name, rows in found.items()
    }
    ratios = [
        other["seconds"] / one["seconds"]
        for one, other in zip(found["kept"], found["given back"], strict=True)
    ]
    figures["times as quick"] = {
        "median": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
    }
    print(json.dumps(figures, indent=2))
    if given.json:
        Path(given.json).write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
