"""Turn a trained network into the bundle that ships: calibrated, with its gate and model card."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from features import build
from judge import calibration_images, read_outputs, rule_from
from rows import CLASSES, is_learned_only, load

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from gate_recipe import fit as fit_gate
from gate_recipe import pooled_function

from mri_tumor import TumorClassifier, persistence
from mri_tumor.backbones import get_backbone
from mri_tumor.export import add_runtime
from mri_tumor.images.collection import as_collection
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.labelled import describe_data
from mri_tumor.labels import UNKNOWN_TUMOR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.answers import DecisionRule

# Of known scans, and about of those of other sources.
MAX_REFUSED = 0.01


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with brain-tumor-mri and br35h")
    parser.add_argument("--work", type=Path, required=True, help="folder of train.py")
    parser.add_argument("--name", default="all", help="which of its models")
    parser.add_argument("--card", type=Path, default=Path(__file__).with_name("MODEL_CARD.md"))
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument(
        "--explanation", default="head_cam", help="method of heatmaps without TensorFlow"
    )
    parser.add_argument("--no-gate", action="store_true", help="for a proof, in a minute")
    given = parser.parse_args()
    if not given.no_gate and find_spec("skimage") is None:
        # Without its pictures the gate is another one, and refuses more scans never seen.
        parser.error("the gate is fitted to pictures of scikit-image: pip install scikit-image")
    folder = given.work / given.name
    model, _ = build(0)
    model.load_weights(folder / "model.weights.h5")

    found = read_outputs(folder)
    rule = counting_images(rule_from(found, calibration_images(found)), found)
    dataset = load(given.data)
    classifier = TumorClassifier(weights="imagenet", augmentation="robust")
    classifier.classes_ = np.array(CLASSES)
    classifier.negative_class_ = "notumor"
    classifier.rule_ = rule
    classifier.preprocessing_ = Preprocessing()
    classifier.backbone_ = get_backbone("MobileNetV2")
    classifier.history_ = json.loads((folder / "history.json").read_text())
    classifier.data_ = describe_data(dataset)
    classifier.metrics_ = {}
    classifier.model_ = model
    classifier.explanation_ = given.explanation
    known = np.isin(np.arange(len(dataset)), np.unique(found["image"]), invert=True)
    trained_on = dataset.subset(np.flatnonzero(known))
    classifier.gate_ = None
    if not given.no_gate:
        # The cut is chosen on groups held back: nobody may be on both sides.
        _, person = np.unique(trained_on.sources, return_inverse=True)
        groups = np.asarray(trained_on.groups)
        groups = np.where(is_learned_only(trained_on), groups.max() + 1 + person, groups)
        classifier.gate_ = fit_gate(
            as_collection(trained_on),
            pooled_function(model),
            groups=groups,
            settings=classifier.preprocessing_,
            max_refused=MAX_REFUSED,
        )
    classifier._compiled = None
    persistence.save(
        classifier,
        given.output,
        half_precision=True,
        files={"MODEL_CARD.md": given.card.read_bytes()},
    )
    add_runtime(given.output)
    print(f"threshold {rule.threshold:.4f}, temperature {rule.temperature:.3f}: {given.output}")


def counting_images(rule: DecisionRule, found: dict[str, NDArray[Any]]) -> DecisionRule:
    """Let a rule that was fitted to all looks of some images say how many images they are."""
    plain = (found["part"] == "validation") & (found["kind"] == "plain")
    labels = found["label"][plain]
    healthy = int((labels == rule.negative_class).sum())
    assert rule.operating_point is not None
    assert rule.conformal is not None
    point = replace(rule.operating_point, n_positive=len(labels) - healthy, n_negative=healthy)
    known = int((labels != UNKNOWN_TUMOR).sum())
    return replace(
        rule, operating_point=point, conformal=replace(rule.conformal, n_calibration=known)
    )


if __name__ == "__main__":
    main()
