"""Set every way to explain beside the known boxes of tumors: one table, one JSON file.

    python benchmarks/explain_boxes.py ../shared/data/brain-tumor-mri --limit 60
    python benchmarks/explain_boxes.py DATA --model runs/mine --files held-out.txt --json table.json

The folder holds boxes.csv (file, x_center, y_center, width, height, each a fraction of the image)
and the images under Training/. The shipped model was trained on most of these images: pass --files
with those that the model at hand has not seen, or say beside the table that it has. Choose a method
on one half of the images (--half choose) and report it on the other (--half report).
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np

from mri_tumor.evaluation import wilson

# Label: options. What is not named here is the method's default.
SETTINGS = {
    "grad_cam": {},
    "grad_cam, flip, shift 8": {"method": "grad_cam", "flip": True, "shift": 8},
    "grad_cam_plus_plus": {},
    "hires_cam": {},
    "layer_cam": {},
    "layer_cam, 16+32": {"method": "layer_cam", "strides": (16, 32)},
    "layer_cam, 8+16+32": {"method": "layer_cam", "strides": (8, 16, 32)},
    "layer_cam, 8+16+32, flip, shift 4": {
        "method": "layer_cam",
        "strides": (8, 16, 32),
        "flip": True,
        "shift": 4,
    },
    "layer_cam, 16+32, mean": {"method": "layer_cam", "strides": (16, 32), "fuse": "mean"},
    "head_cam": {},
    "layer_cam, 16": {"method": "layer_cam", "strides": (16,)},
    "eigen_cam": {},
    "score_cam": {},
    "occlusion": {},
    "saliency": {},
    "smooth_grad": {},
    "integrated_gradients": {},
    "integrated_gradients, blur 8": {"method": "integrated_gradients", "blur": 8},
}


def read_boxes(folder, files=None):
    """Return the images' paths, classes and boxes, in the file's order."""
    wanted = None
    if files is not None:
        wanted = {line.strip() for line in files.read_text("utf-8").splitlines() if line.strip()}
    paths, labels, boxes = [], [], []
    with (folder / "boxes.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if wanted is not None and row["file"] not in wanted:
                continue
            paths.append(folder / "Training" / row["file"])
            labels.append(row["file"].split("/")[0])
            boxes.append([float(row[k]) for k in ("x_center", "y_center", "width", "height")])
    if not paths:
        sys.exit(f"{folder}: no box is left to compare with")
    return paths, np.array(labels), np.array(boxes)


def choose(labels, limit, seed):
    """Draw at most `limit` images of each class."""
    rng = np.random.default_rng(seed)
    kept = [
        rng.permutation(np.flatnonzero(labels == label))[:limit] for label in np.unique(labels)
    ]
    return np.sort(np.concatenate(kept))


def half_of(paths, half, seed):
    """Return the positions of one half of the images; near-duplicates are in the same one."""
    from mri_tumor.data.duplicates import group_duplicates
    from mri_tumor.data.hashing import fingerprint_file, perceptual_hashes

    prints = [fingerprint_file(path) for path in paths]
    hashes = perceptual_hashes(np.stack([one.coefficients for one in prints]))
    groups = group_duplicates([one.pixels for one in prints], hashes)
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    first = np.isin(groups, names[: len(names) // 2])
    return np.flatnonzero(first if half == "choose" else ~first)


def surround(row, name):
    """Put a share's 95% interval by Wilson beside it; each image counts as independent."""
    ends = [round(end, 4) for end in wilson(row[name] * row["n_images"], row["n_images"])]
    row[f"{name}_interval"] = ends
    return f"{row[name]:.1%} ({ends[0]:.1%} to {ends[1]:.1%})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with boxes.csv and Training/")
    parser.add_argument("--model", default="brain-mri", help="a shipped model's name, or a bundle")
    parser.add_argument("--files", type=Path, help="list of files to keep, as boxes.csv has them")
    parser.add_argument("--half", choices=("choose", "report"), help="by near-duplicate group")
    parser.add_argument("--limit", type=int, help="at most so many images of each class")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--target", default="likeliest_tumor", help="class, or 'true'")
    parser.add_argument("--steps", type=int, default=28, help="points per curve; 0 for no curves")
    parser.add_argument("--curve-images", type=int, default=64)
    parser.add_argument("--randomisation", type=int, default=16, help="images; 0 for no check")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file for the table, with every image's row")
    options = parser.parse_args()

    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.explain import explanation_report

    paths, labels, boxes = read_boxes(options.data, options.files)
    if options.half:
        kept = half_of(paths, options.half, options.seed)
        paths, labels, boxes = [paths[i] for i in kept], labels[kept], boxes[kept]
    if options.limit:
        kept = choose(labels, options.limit, options.seed)
        paths, labels, boxes = [paths[i] for i in kept], labels[kept], boxes[kept]
    if Path(options.model).is_dir():
        classifier = TumorClassifier.load(options.model)
    else:
        classifier = TumorClassifier.from_pretrained(options.model)
    report = explanation_report(
        classifier,
        paths,
        methods={label: SETTINGS[label] for label in options.settings},
        target=labels.tolist() if options.target == "true" else options.target,
        boxes=boxes,
        labels=labels.tolist(),
        steps=options.steps,
        curve_images=options.curve_images,
        randomisation=options.randomisation,
    )
    print(report)
    result = report.to_dict(include_images=True)
    for row in result["summary"]:
        shown = ", ".join(f"{name} {surround(row, name)}" for name in ("pointing", "near"))
        print(f"{row['method']}, {row['label']}: {shown}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1, default=str) + "\n", "utf-8")


if __name__ == "__main__":
    main()
