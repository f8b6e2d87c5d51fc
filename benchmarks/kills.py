"""Kill training and folder prediction at random moments, and see what is lost or doubled.

Each process is ended by ``kill -9`` at a moment drawn evenly over the working time of an
undisturbed run, and started again with ``--resume``, until all kills are spent and the last run
has ended. What it left is then compared with what the undisturbed run left.

The images are synthetic, the backbone has two convolutions, so that time goes into epochs and
rows and not into arithmetic. Processes are forked from one that has loaded TensorFlow already.

    python benchmarks/kills.py --kills 50 --json kills.json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

# Same seed, same weights: to this, for any weight.
WEIGHT_TOLERANCE = 1e-5
PROBABILITY_TOLERANCE = 1e-5
EPOCHS, FINETUNE_EPOCHS = 12, 6


def build_tiny(input_shape, _weights):
    import keras

    image = keras.Input(input_shape)
    values = keras.layers.Conv2D(8, 3, strides=4, activation="relu")(image)
    values = keras.layers.Conv2D(16, 3, strides=4, activation="relu")(values)
    return keras.Model(image, values, name="tiny")


def scaling():
    import keras

    return [keras.layers.Rescaling(1 / 255)]


def register_tiny():
    from mri_tumor.backbones import BackboneSpec, register_backbone

    register_backbone(
        BackboneSpec(
            name="tiny", builder=build_tiny, scaling=scaling, input_size=64,
            finetune_layers=1, weights=(),
        )
    )  # fmt: skip


def start(arguments, log):
    """Run the command line in a process of its own; return its number."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = ["mri-tumor", *map(str, arguments)]
        from mri_tumor.cli.main import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(process, log):
    _, status = os.waitpid(process, 0)
    if status:
        raise SystemExit(f"a run failed ({status}):\n{Path(log).read_text()[-2000:]}")


def undisturbed(arguments, log):
    """Run to the end; return the seconds it took."""
    began = time.perf_counter()
    finish(start(arguments, log), log)
    return time.perf_counter() - began


def disturbed(arguments, log, seconds, kills, rng, check):
    """Spend kills on runs of a command, each gone on with; call `check` at each end."""
    spent = ends = 0
    while spent < kills:
        process = start([*arguments, "--resume"], log)
        until = time.perf_counter() + rng.uniform(0, seconds)
        ended = 0
        while time.perf_counter() < until and not ended:
            time.sleep(0.005)
            ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            if status:
                raise SystemExit(f"a run failed ({status}):\n{Path(log).read_text()[-2000:]}")
            check()
            ends += 1
            continue
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        spent += 1
    finish(start([*arguments, "--resume"], log), log)
    check()
    return ends + 1


def weights_of(folder):
    import h5py

    found = {}
    with (
        zipfile.ZipFile(folder / "model.keras") as archive,
        archive.open("model.weights.h5") as file,
        h5py.File(file, "r") as content,
    ):

        def visit(name, item):
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]

        content.visititems(visit)
    return found


def kill_training(work, kills, rng):
    from mri_tumor import make_phantoms

    data = work / "phantoms"
    make_phantoms(120, size=96, seed=0, folder=data)
    log = work / "training.log"

    def command(output):
        return [
            "train", data, "--backbone", "tiny", "--weights", "none", "--epochs", EPOCHS,
            "--finetune-epochs", FINETUNE_EPOCHS, "--batch-size", 8, "--output", output, "--json",
        ]  # fmt: skip

    seconds = undisturbed(command(work / "whole"), log)
    whole = weights_of(work / "whole")
    history = json.loads((work / "whole" / "metadata.json").read_text())["history"]
    found = {"largest_weight_difference": 0.0, "epochs_lost_or_doubled": 0, "left_behind": 0}
    output = work / "killed"

    def check():
        again = weights_of(output)
        assert again.keys() == whole.keys()
        gap = max(float(np.abs(again[name] - whole[name]).max()) for name in whole)
        found["largest_weight_difference"] = max(found["largest_weight_difference"], gap)
        epochs = json.loads((output / "metadata.json").read_text())["history"]["stage"]
        found["epochs_lost_or_doubled"] += epochs != history["stage"]
        rest = [path for path in work.iterdir() if path.name.lstrip(".").startswith("killed")]
        found["left_behind"] += len(rest) - 1
        # The next training starts anew.
        output.rename(work / f"ended-{time.monotonic_ns()}")

    ends = disturbed(command(output), log, seconds, kills, rng, check)
    good = (
        found["largest_weight_difference"] <= WEIGHT_TOLERANCE
        and not found["epochs_lost_or_doubled"]
        and not found["left_behind"]
    )
    return {
        "kills": kills, "trainings_compared": ends, "epochs_each": EPOCHS + FINETUNE_EPOCHS,
        "seconds_undisturbed": round(seconds, 1), **found, "good": good,
    }  # fmt: skip


def make_tree(folder, n_files):
    """Lay out hard links to a few phantoms, some broken files, and a volume."""
    from PIL import Image

    from mri_tumor import make_phantoms

    phantoms = make_phantoms(8, seed=1, size=128)
    folder.mkdir()
    for i, image in enumerate(phantoms.images):
        Image.fromarray(image).save(folder / f"original-{i}.png")
    for i in range(n_files):
        place = folder / f"{i % 7}"
        place.mkdir(exist_ok=True)
        if i % 50 == 17:
            (place / f"{i:06d}.png").write_bytes(b"\x89PNG broken")
        else:
            os.link(folder / f"original-{i % 8}.png", place / f"{i:06d}.png")
    pages = [Image.fromarray(image) for image in phantoms.images]
    pages[0].save(folder / "volume.tiff", save_all=True, append_images=pages[1:])


def rows_of(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    import pandas as pd

    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    return table.astype(object).where(table.notna(), None).to_dict("records")


def kill_prediction(work, kills, rng, n_files):
    tree, model, log = work / "tree", work / "whole", work / "predicting.log"
    make_tree(tree, n_files)
    suffixes = [".jsonl", ".csv", ".parquet"]
    found = {}
    for number, suffix in enumerate(suffixes):

        def command(output):
            return ["predict", tree, "--model", model, "--output", output]

        whole = work / f"whole{suffix}"
        seconds = undisturbed(command(whole), log)
        expected = rows_of(whole)
        output = work / f"killed{suffix}"
        seen = {"rows_lost_or_doubled": 0, "rows_changed": 0, "largest_difference": 0.0}

        def check(output=output, expected=expected, seen=seen):
            rows = rows_of(output)
            names = [(row["file"], row.get("kind"), row.get("slice")) for row in rows]
            wanted = [(row["file"], row.get("kind"), row.get("slice")) for row in expected]
            seen["rows_lost_or_doubled"] += len(set(names) ^ set(wanted))
            seen["rows_lost_or_doubled"] += abs(len(names) - len(wanted))
            for row, other in zip(rows, expected, strict=False):
                same = all(row[k] == other[k] for k in ("file", "label", "status", "message"))
                seen["rows_changed"] += not same
                pair = (row["tumor_probability"], other["tumor_probability"])
                if None not in pair:
                    gap = abs(pair[0] - pair[1])
                    seen["largest_difference"] = max(seen["largest_difference"], gap)
            output.unlink()
            output.with_name(output.name + ".run.json").unlink()

        share = kills // 3 + (number < kills % 3)
        ends = disturbed(command(output), log, seconds, share, rng, check)
        left = [path.name for path in work.iterdir() if "killed" in path.name and
                path.name.endswith((".lock", ".part.jsonl", ".tmp"))]  # fmt: skip
        found[suffix] = {
            "kills": share, "predictions_compared": ends, "rows": len(expected),
            "seconds_undisturbed": round(seconds, 1), **seen, "left_behind": len(left),
            "good": not seen["rows_lost_or_doubled"] and not seen["rows_changed"] and not left
            and seen["largest_difference"] <= PROBABILITY_TOLERANCE,
        }  # fmt: skip
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=5, help="of training, and of prediction")
    parser.add_argument("--files", type=int, default=3000, help="in the tree that is predicted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("training", "prediction"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    import keras  # noqa: F401
    import pandas as pd  # noqa: F401
    import tensorflow as tf  # noqa: F401

    import mri_tumor.classifier  # noqa: F401

    register_tiny()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        work = Path(folder)
        # A prediction needs the model that a training leaves.
        kills = 0 if options.only == "prediction" else options.kills
        found = {"training": kill_training(work, kills, rng)}
        if options.only != "training":
            answers = kill_prediction(work, options.kills, rng, options.files)
            found |= {f"prediction to {suffix}": row for suffix, row in answers.items()}
        for name, row in found.items():
            show(name, row)
    if options.json:
        options.json.write_text(json.dumps({"seed": options.seed, **found}, indent=2) + "\n")
    return 0 if all(row["good"] for row in found.values()) else 1


def show(name, row):
    print(f"{name}:")
    for key, value in row.items():
        print(f"  {key.replace('_', ' '):28} {value}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
