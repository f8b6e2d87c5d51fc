"""A gate travels with the weights, and refuses on the other side as it did here."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mri_tumor import TumorClassifier
from mri_tumor.errors import BundleError
from mri_tumor.gate import Gate, Limits


@pytest.fixture
def gated(tiny, blob_images, tmp_path):
    images, labels = blob_images
    clf = TumorClassifier("tiny", weights=None, epochs=1, n_variants=1)
    clf.fit(images, labels, groups=np.arange(len(labels)))
    clf.gate_ = Gate(limits=Limits())
    return clf, clf.save(tmp_path / "model")


def test_what_is_refused_has_no_label_but_a_row(gated, tmp_path):
    clf, path = gated
    black = tmp_path / "black.png"
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(black)
    for model in (clf, TumorClassifier.load(path)):
        (row,) = model.assess([black])
        assert row.status == "refused"
        assert row.label is None
        assert row.probabilities is None
        assert "blank" in row.message
        # The plain estimator's answers do not go through the gate.
        assert model.predict_proba([black]).shape == (1, 2)


def test_a_refused_image_counts_as_wrong(gated):
    clf, _ = gated
    images = np.zeros((4, 64, 64), np.uint8)
    report = clf.evaluate(images, ["notumor", "tumor"] * 2, n_bootstrap=0)
    assert report.figures["coverage"] == 0
    assert report.figures["accuracy"] == 0


def test_a_gate_that_was_changed_is_found_out(gated):
    _, path = gated
    with (path / "gate.npz").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match=r"gate\.npz"):
        TumorClassifier.load(path)


def test_a_gate_without_a_hash_is_not_read(gated):
    _, path = gated
    content = json.loads((path / "metadata.json").read_text())
    del content["files"]["gate.npz"]
    (path / "metadata.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match=r"gate\.npz is none of its files"):
        TumorClassifier.load(path)


def test_finetuning_drops_what_was_fitted_to_the_old_weights(gated, blob_images):
    clf, _ = gated
    images, labels = blob_images
    clf.rule_ = replace(clf.rule_, temperature=3.0, threshold=0.9)
    clf.finetune(images, labels, groups=np.arange(len(labels)), epochs=1)
    assert clf.rule_.temperature == 1.0
    assert clf.rule_.threshold == clf.threshold == 0.5
    assert clf.gate_ is None
