"""Measure what an installation takes on the disk, and count the parameters of the usual network.

    python benchmarks/footprint.py --json footprint.json

Installs what predicting needs, and with --full all that the library does, each into a scratch folder
by pip: that needs a network, or pip's cache. Megabytes are of a million bytes, compiled files
left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]


def megabytes(folder):
    """Return the size of what lies in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return sum(path.stat().st_size for path in files) / 1e6


def installed(*runs):
    """Install by pip, once for each list of arguments; return megabytes, the largest parts first."""
    with tempfile.TemporaryDirectory() as scratch:
        for arguments in runs:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", scratch]
            subprocess.run([*command, "--no-compile", *arguments], check=True)
        parts = {path.name: megabytes(path) for path in Path(scratch).iterdir() if path.is_dir()}
        # NumPy and Pillow keep their libraries beside themselves.
        for name in [name for name in parts if name.endswith(".libs")]:
            owner = name.removesuffix(".libs").lower()
            if owner in parts:
                parts[owner] += parts.pop(name)
        largest = sorted(parts, key=parts.get, reverse=True)[:6]
        found = {"megabytes": round(megabytes(Path(scratch)), 1)}
        return found | {"parts": {name: round(parts[name], 1) for name in largest}}


def parameters():
    """Count the parameters of MobileNetV2 with our head, and with ImageNet's."""
    import keras

    from mri_tumor import TumorClassifier, make_phantoms

    drawn = make_phantoms(24, size=32, seed=0)
    ours = TumorClassifier(weights=None, input_size=32, n_variants=1, epochs=1)
    ours.fit(drawn.images, drawn.labels)
    with_imagenet = keras.applications.MobileNetV2(weights=None)
    return {
        "with_our_head": ours.model_.count_params(),
        "with_imagenets_head": with_imagenet.count_params(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--full", action="store_true", help="also install all: 2 GB and minutes")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {
        "parameters": parameters(),
        "predict": installed(
            ["-r", str(ROOT / "requirements-predict.txt")], ["--no-deps", str(ROOT)]
        ),
    }
    if options.full:
        found["full"] = installed([str(ROOT)])
    print(json.dumps(found, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
