"""Show what the shipped model says of pictures that are no scan, and of scans from elsewhere.

    python benchmarks/shipped_gate.py ../shared/data --json shipped.json

Pictures are of kinds that the gate was not fitted to (`non_mri`), and scans that were unrolled, for
which DATA is needed. Scans from elsewhere are healthy: slices of the MNI152 average without skull
(nilearn; the weights and the gate that ship learned from them), an echo-planar volume (nibabel), a
sagittal T1 (matplotlib), as far as they are installed; all kinds of pictures need scikit-image and
pydicom-data. With --work, also the scans that `scripts/brain_mri/train.py` held back there. Research
software, not a medical device.
"""

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from gate import SOURCES, foreign_examples, held_out_examples
from gate_recipe import phantom_examples

from mri_tumor import load_dataset, runtime
from mri_tumor.evaluation import wilson
from mri_tumor.images import read_image
from mri_tumor.images.listing import list_images


def answers(model, examples):
    """Count what a model says of examples, by kind."""
    found = defaultdict(list)
    for kind, _, pixels in examples:
        found[kind].append(pixels)
    counts = {}
    for kind, images in found.items():
        rows = model.assess(images)
        counts[kind] = dict(Counter(row.label or row.status for row in rows))
    return counts


def held_back_examples(data, work):
    """Yield the scans by which a training chose its epoch, and which it did not learn from."""
    dataset = load_dataset(
        {"kaggle": data / "brain-tumor-mri" / "Training", "br35h": data / "br35h"}
    )
    with np.load(work / "outputs.npz") as found:
        held = dataset.subset(np.unique(found["image"]))
    for i, (path, label) in enumerate(zip(held.paths, held.labels, strict=True)):
        yield label, i, read_image(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri/ and br35h/")
    parser.add_argument("--model", default="brain-mri", help="a shipped model's name, or a bundle")
    parser.add_argument("--work", type=Path, help="folder of the training, with outputs.npz")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    model = runtime.load(given.model)
    scans = sorted(list_images(given.data / SOURCES["kaggle"]))[::97]
    table = {
        "no scan": answers(model, held_out_examples([read_image(path) for path in scans])),
        "healthy, from elsewhere": answers(model, foreign_examples()),
        "synthetic": answers(model, phantom_examples(100, seed=900)),
    }
    if given.work:
        table["held back"] = answers(model, held_back_examples(given.data, given.work))
    totals = {name: sum(map(Counter, kinds.values()), Counter()) for name, kinds in table.items()}
    for name, kinds in table.items():
        refused, n = totals[name]["refused"], totals[name].total()
        low, high = wilson(refused, n)
        print(f"{name}: {refused} of {n} refused (95%: {low:.1%} to {high:.1%})")
        if name != "no scan":
            for kind, row in kinds.items():
                print(f"  {kind}: {row}")
    if given.json:
        shares = {
            name: {
                "n_images": one.total(),
                **one,
                "refused_share": one["refused"] / one.total(),
                "refused_interval": wilson(one["refused"], one.total()),
            }
            for name, one in totals.items()
        }
        given.json.write_text(json.dumps({"totals": shares, **table}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
