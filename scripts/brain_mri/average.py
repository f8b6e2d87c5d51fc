"""Average the weights of models of one line of training, and write the average's outputs.

After Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
accuracy without increasing inference time", ICML 2022. arXiv:2203.05482
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from features import FIRST_OPEN, build
from rows import load, read_boxes
from train import divide, read_table, row_labels, write_outputs

from mri_tumor.model import open_layers, split_model


def main() -> None:
    """Average, and write what train.py writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of train.py")
    parser.add_argument(
        "--of", nargs="+", required=True, help="its models; one named twice counts twice"
    )
    parser.add_argument("--open", default=FIRST_OPEN, help="first layer that one of them learned")
    parser.add_argument("--leave-out", help="what they left out")
    parser.add_argument("--unseen", nargs="*", default=[], help="people they left out")
    parser.add_argument("--test", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", required=True, help="of the average")
    given = parser.parse_args()
    model, n_open = build(given.seed, given.open)
    kept = []
    for name in given.of:
        model.load_weights(given.work / name / "model.weights.h5")
        kept.append(model.get_weights())
    model.set_weights([np.mean(values, axis=0) for values in zip(*kept, strict=True)])
    open_layers(model, n_open)
    split = split_model(model)
    assert split is not None
    dataset = load(given.data)
    boxes = read_boxes(given.data, dataset)
    table = read_table(given.work, dataset, boxes, 1, given.open)
    parts = divide(dataset, table, set(boxes), given)
    out = given.work / given.name
    out.mkdir(exist_ok=True)
    model.save_weights(out / "model.weights.h5")
    once = dict.fromkeys(given.of)
    history = [json.loads((given.work / name / "history.json").read_text()) for name in once]
    joined = {key: [value for one in history for value in one[key]] for key in history[0]}
    (out / "history.json").write_text(json.dumps(joined))
    write_outputs(
        out / "outputs.npz", split.open, table, row_labels(dataset, table), dataset, parts
    )


if __name__ == "__main__":
    main()
