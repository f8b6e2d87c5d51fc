"""Calibrating a classifier: what changes, what stays, what the bundle keeps."""

import numpy as np
import pytest
from drawing import blobs

from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import DataError, NotFittedError


@pytest.fixture(scope="module")
def calibrated(fitted, tmp_path_factory):
    """A copy of the fitted model, calibrated on blobs of its own."""
    folder = fitted.save(tmp_path_factory.mktemp("calibrate") / "model")
    images, labels = blobs(40, seed=21)
    return TumorClassifier.load(folder).calibrate(images, labels, sensitivity=0.9, coverage=0.8)


def test_the_order_of_answers_stays_and_the_threshold_is_used(fitted, calibrated):
    images = blobs(20, seed=33)[0]
    before, after = (model.predict_proba(images)[:, 1] for model in (fitted, calibrated))
    np.testing.assert_array_equal(np.argsort(before), np.argsort(after))
    rule = calibrated.rule_
    assert rule.operating_point.target == "sensitivity"
    assert rule.conformal.coverage == 0.8
    called = calibrated.predict(images) == "tumor"
    np.testing.assert_array_equal(called, after >= rule.threshold)
    # The threshold of a call goes before that of the rule.
    everything = calibrated.predict(images, threshold=0.0)
    assert set(everything) == {"tumor"}


def test_calibrating_again_starts_from_the_network(calibrated):
    first = calibrated.rule_
    images, labels = blobs(40, seed=21)
    calibrated.calibrate(images, labels, sensitivity=0.9, coverage=0.8)
    assert calibrated.rule_.temperature == pytest.approx(first.temperature, rel=1e-6)
    assert calibrated.rule_.threshold == pytest.approx(first.threshold, rel=1e-6)


def test_the_bundle_keeps_all_of_it(calibrated, tmp_path):
    loaded = TumorClassifier.load(calibrated.save(tmp_path / "model"))
    assert loaded.rule_ == calibrated.rule_
    images = blobs(5, seed=34)[0]
    assert [row.status for row in loaded.assess(images)] == [
        row.status for row in calibrated.assess(images)
    ]
    # Images that chose the threshold count as seen.
    assert loaded.overlap(blobs(40, seed=21)[0]).n_identical == 80


def test_what_it_needs_is_named(tiny, calibrated):
    images, labels = blobs(4, seed=5)
    with pytest.raises(NotFittedError):
        TumorClassifier("tiny", weights=None).calibrate(images, labels)
    with pytest.raises(DataError, match="both sides"):
        calibrated.calibrate(images[:4], labels[:4])
    with pytest.raises(DataError, match="gliom"):
        calibrated.calibrate(images, ["gliom"] * 8)
