"""Calibration before and after, and what the sets hold, on images that fitted neither."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor.errors import ParameterError
from mri_tumor.evaluation import (
    EvaluationReport,
    apply_temperature,
    brier_score,
    conformal_threshold,
    evaluate_predictions,
    expected_calibration_error,
    prediction_sets,
)
from mri_tumor.evaluation.rule_check import describe_rule, reliability_before_and_after
from mri_tumor.labels import FOUR


def drawn(n=300, *, seed=0):
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(n, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(4, p=row) for row in apply_temperature(p, 2.0)])
    return truth, p


def report_of(truth, rows, **options):
    return evaluate_predictions(
        [FOUR[i] for i in truth], rows, classes=FOUR, n_bootstrap=200, **options
    )


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 10), st.integers(0, 50))
def test_before_is_what_the_network_said(temperature, seed):
    truth, p = drawn(60, seed=seed)
    found = describe_rule(
        report_of(truth, apply_temperature(p, temperature)), temperature=temperature
    )
    assert found["before"]["classes_brier_score"] == pytest.approx(brier_score(truth, p), abs=1e-6)
    assert found["after"]["classes_brier_score"] == pytest.approx(
        brier_score(truth, apply_temperature(p, temperature))
    )
    json.dumps(found, allow_nan=False)


def test_the_temperature_that_was_put_in_repairs_the_error():
    truth, p = drawn(2000)
    report = report_of(truth, apply_temperature(p, 2.0))
    found = describe_rule(report, temperature=2.0)
    name = "classes_expected_calibration_error"
    assert found["before"][name] == pytest.approx(expected_calibration_error(truth, p))
    assert found["after"][name] < 0.04 < found["before"][name]
    curves = reliability_before_and_after(report, temperature=2.0)
    errors = {which: curve.expected_calibration_error for which, curve in curves.items()}
    assert list(errors) == ["before", "after"]
    assert errors["after"] < errors["before"]


def test_sets_are_counted_by_hand():
    truth, p = drawn(400)
    labels = [FOUR[i] for i in truth]
    rule = conformal_threshold(labels[:200], p[:200], classes=FOUR, coverage=0.8)
    refused = np.arange(200) < 20
    groups = np.arange(200) // 2
    report = report_of(truth[200:], p[200:], refused=refused, groups=groups)
    found = describe_rule(report, conformal=rule)["prediction_sets"]
    sets = prediction_sets(p[220:], rule)
    assert found["n_images"] == 180
    assert found["coverage_wanted"] == 0.8
    assert found["coverage_found"] == sets[np.arange(180), truth[220:]].mean()
    assert found["mean_classes"] == sets.sum(axis=1).mean()
    negative = FOUR.index("notumor")
    both = sets[:, negative] & (sets.sum(axis=1) > 1)
    assert found["uncertain"] == both.mean()
    low, high = found["interval"]
    assert low < found["coverage_found"] < high
    again = describe_rule(report, conformal=rule)["prediction_sets"]
    assert again == found


def test_nothing_answered_is_nothing_measured():
    truth, p = drawn(10)
    report = report_of(truth, p, refused=np.ones(10, dtype=bool))
    found = describe_rule(
        report, conformal=conformal_threshold(["notumor"] * 10, p, classes=FOUR), temperature=1.5
    )
    assert found["before"] == found["after"] == {}
    assert found["prediction_sets"]["n_images"] == 0
    assert reliability_before_and_after(report, temperature=1.5) == {}


def test_a_report_without_images_says_so():
    report = EvaluationReport.from_dict(report_of(*drawn(10)).to_dict())
    with pytest.raises(ParameterError, match="without its images"):
        describe_rule(report)
