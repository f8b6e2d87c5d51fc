"""Measure the scoring of archives: workers, a kill in the middle, growth with the number of files.

    python benchmarks/scale_scoring.py scaling --files 2000 --json scaling.json
    python benchmarks/scale_scoring.py archive --files 100000 --json archive.json
    python benchmarks/scale_scoring.py growth --files 1000 3000 10000 30000 --json growth.json
    python benchmarks/scale_scoring.py plot growth.json archive.json --output growth.svg

The files are synthetic slices of 128 x 128 pixels (phantoms, shifted and with another brightness,
no two alike; one in a thousand is cut short). ``--model tiny`` is a network of two convolutions, so
that what is measured is the library and Ray, and not the network; ``scaling`` takes the one that
ships.

Each run is a command line of its own, ``mri-tumor predict``. Processor seconds are those of all its
processes together: on a machine that others use, they say what seconds on the clock do not. Memory
is the largest resident set of the caller and of the largest actor, looked at ten times a second.
Images per processor second of the actors with two workers, over those with one, is the efficiency.

Research software, not a medical device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

ORIGINALS = 300
CUT_EVERY = 1000
TINY = "tiny"


def make_archive(folder, n_files, *, side=128):
    """Write the files, in folders of a thousand."""
    from PIL import Image

    from mri_tumor import make_phantoms

    base = make_phantoms(ORIGINALS, size=side, seed=1).images
    for i in range(n_files):
        place = folder / f"{i // 1000:05d}"
        place.mkdir(parents=True, exist_ok=True)
        turn, brightness = divmod(i // ORIGINALS, 20)
        values = np.roll(base[i % ORIGINALS], turn, axis=1)
        values = np.where(values > 8, np.minimum(values, 235) + brightness, values)
        path = place / f"{i:07d}.png"
        # Uncompressed: it is the reading that is measured, and the writing takes long enough.
        Image.fromarray(values.astype(np.uint8)).save(path, compress_level=0)
        if i % CUT_EVERY == CUT_EVERY - 1:
            path.write_bytes(path.read_bytes()[: 4 * side])


def make_model(folder):
    """Save a classifier with two convolutions, and what it needs to answer without TensorFlow."""
    code = (
        "from kills import register_tiny; register_tiny()\n"
        "from mri_tumor import TumorClassifier, make_phantoms\n"
        "phantoms = make_phantoms(48, size=96, seed=0)\n"
        "made = TumorClassifier('tiny', weights=None, epochs=2, cache=False)\n"
        f"made.fit(phantoms.images, phantoms.labels).save({str(folder)!r}, runtime=True)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent)


def run(tree, output, *, model, workers=None, kill_behind=None):
    """Score a tree; give seconds, processor seconds and memory."""
    command = [sys.executable, "-c", "from mri_tumor.cli.main import main; main()", "predict"]
    command += [str(tree), "--output", str(output), "--model", str(model), "--json"]
    if workers is not None:
        command += ["--engine", "ray", "--workers", str(workers)]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    caller = psutil.Process(process.pid)
    spent, peaks, killed, first = {}, {}, None, None
    while process.poll() is None:
        for one in _tree(caller):
            try:
                times = one.cpu_times()
                kind = "caller" if one.pid == process.pid else _kind(one)
                spent[kind, one.pid] = times.user + times.system
                peaks[kind] = max(peaks.get(kind, 0), one.memory_info().rss)
            except psutil.Error:
                continue
        done = _lines(output)
        if done and first is None:
            first = time.perf_counter() - began
        if kill_behind is not None and killed is None and done >= kill_behind:
            actors = [one for one in _tree(caller) if _kind(one) == "actor"]
            killed = actors[0].pid
            os.kill(killed, signal.SIGKILL)
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{command} failed ({process.returncode})")
    report = json.loads(process.stdout.read().strip().splitlines()[-1])
    images = sum(report["counts"].values())
    return {
        "engine": "ray" if workers else "none",
        "workers": workers or 1,
        "files": images,
        "counts": report["counts"],
        "parts": report["parts"],
        "seconds": round(seconds, 2),
        "seconds_to_first_part": None if first is None else round(first, 2),
        "scoring_seconds": report["seconds"],
        "cpu_seconds": round(sum(spent.values()), 2),
        "cpu_seconds_of_caller": round(spent["caller", process.pid], 2),
        "cpu_seconds_of_actors": round(
            sum(value for (kind, _), value in spent.items() if kind == "actor"), 2
        ),
        "peak_mb": {kind: round(peak / 2**20) for kind, peak in peaks.items()},
        "killed": killed is not None,
    }


def _tree(caller):
    try:
        return [caller, *caller.children(recursive=True)]
    except psutil.Error:
        return []


def _kind(process):
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return "gone"
    return "actor" if "MapWorker" in line else "other"


def _lines(output):
    try:
        return (output / "_manifest.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def same_rows(one, other):
    """Compare all rows of two outputs; give their number and how many differ."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [
        pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])
        for folder in (one, other)
    ]
    names = [set(table.column("file").to_pylist()) for table in tables]
    return {
        "rows": [table.num_rows for table in tables],
        "different_files": len(names[0] ^ names[1]),
        "files_twice": [
            table.num_rows - len(own) for table, own in zip(tables, names, strict=True)
        ],
        "all_rows_equal": tables[0].equals(tables[1]),
    }


def scaling(options, work, model):
    """Score with no engine, one worker and two, each on as many processors."""
    tree = work / "archive"
    make_archive(tree, options.files[0])
    found = []
    for workers in (None, *options.workers):
        row = run(tree, work / f"out-{workers}", model=model, workers=workers)
        row["images_per_second"] = round(row["files"] / row["scoring_seconds"], 1)
        # Without what Ray itself takes to start, which a long run does not notice.
        spent = row["cpu_seconds_of_actors"] or row["cpu_seconds"]
        row["images_per_cpu_second"] = round(row["files"] / spent, 1)
        found.append(row)
        print(json.dumps(row), flush=True)
    ones = [row for row in found if row["engine"] == "ray"]
    for row in ones:
        rate = row["images_per_cpu_second"] / ones[0]["images_per_cpu_second"]
        row["efficiency_by_cpu"] = round(rate, 3)
        speed = row["images_per_second"] / ones[0]["images_per_second"]
        row["efficiency_by_clock"] = round(speed * ones[0]["workers"] / row["workers"], 3)
    return found


def archive(options, work, model):
    """Score all files twice, once with an actor killed in the middle, and compare the rows."""
    tree = work / "archive"
    make_archive(tree, options.files[0])
    workers = options.workers[-1]
    parts = -(-options.files[0] // 1000)
    rows = [
        run(tree, work / "ray", model=model, workers=workers, kill_behind=parts // 2),
        run(tree, work / "none", model=model),
    ]
    return rows, same_rows(work / "ray", work / "none") | single(tree, work / "none", work)


def single(tree, output, work):
    """Measure what one process does for all: listing and committing, and what is kept."""
    from collections import Counter

    from mri_tumor.scale.manifest import Manifest
    from mri_tumor.scale.parts import find_parts
    from mri_tumor.scale.scorer import Scored

    began = time.process_time()
    parts = list(find_parts([str(tree)], size=1000))
    listing = time.process_time() - began
    n_files = sum(len(part.names) for part in parts)
    files = sorted(output.glob("*.parquet"))
    content = files[0].read_bytes()
    began = time.perf_counter()
    with Manifest(work / "commits", {}) as manifest:
        for part in parts:
            manifest.commit(
                Scored(part=part, content=content, rows=1000, counts=Counter(ok=1000), worker=0)
            )
    return {
        "listed_per_cpu_second": round(n_files / listing),
        "parts_committed_per_second": round(len(parts) / (time.perf_counter() - began), 1),
        "bytes_written_per_image": round(sum(p.stat().st_size for p in files) / n_files, 1),
        "manifest_bytes_per_part": round((output / "_manifest.jsonl").stat().st_size / len(parts)),
        "bytes_read_per_image": round(
            sum(Path(name).stat().st_size for name in parts[0].names) / len(parts[0].names)
        ),
    }


def growth(options, work, model):
    """Score archives of several sizes by Ray, and without an engine."""
    found = []
    for count in options.files:
        tree = work / str(count)
        make_archive(tree, count)
        for workers in (options.workers[-1], None):
            row = run(tree, work / f"{count}-{workers}", model=model, workers=workers)
            found.append(row)
            print(json.dumps(row), flush=True)
    return found


def plot(files, output):
    """Draw processor seconds and memory over the number of files."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "mri-tumor"
    import matplotlib.pyplot as plt

    rows = [row for file in files for row in json.loads(Path(file).read_text())["runs"]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for engine, mark in (("ray", "o"), ("none", "s")):
        own = sorted((r for r in rows if r["engine"] == engine), key=lambda r: r["files"])
        counts = [row["files"] for row in own]
        label = "--engine ray, 2 workers" if engine == "ray" else "no engine"
        left.plot(counts, [row["cpu_seconds"] for row in own], marker=mark, label=label)
        for kind, style in (("caller", "-"), ("actor", "--")):
            values = [row["peak_mb"].get(kind) for row in own]
            if any(values):
                right.plot(counts, values, style, marker=mark, label=f"{label}: {kind}")
    left.set(xscale="log", yscale="log", xlabel="files", ylabel="processor seconds, all processes")
    right.set(xscale="log", ylim=(0, None), xlabel="files", ylabel="largest resident set, MB")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(output, metadata={"Date": None} if str(output).endswith(".svg") else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=["scaling", "archive", "growth", "plot"])
    parser.add_argument("results", nargs="*", help="JSON files, for plot")
    parser.add_argument("--files", type=int, nargs="+", default=[1000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--model", help="tiny, or a model; scaling takes brain-mri, others tiny")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--output", type=Path, default=Path("growth.svg"))
    options = parser.parse_args()
    if options.what == "plot":
        plot(options.results, options.output)
        return
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        work = Path(folder)
        model = options.model or ("brain-mri" if options.what == "scaling" else TINY)
        name = model
        if model == TINY:
            model = work / "model"
            make_model(model)
        elif options.model is None:
            from mri_tumor.bundle import packaged_bundle

            # A copy: whoever updates the library meanwhile changes no run.
            model = Path(shutil.copytree(packaged_bundle(model), work / "model"))
        made = {"scaling": scaling, "archive": archive, "growth": growth}[options.what](
            options, work, model
        )
    runs, compared = made if options.what == "archive" else (made, None)
    result = {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, shared with other work",
        "model": name,
        "runs": runs,
    }
    if compared is not None:
        result["compared"] = compared
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
