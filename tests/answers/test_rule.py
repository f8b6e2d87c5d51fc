"""What turns a network's outputs into answers, and how it is fitted."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor.answers import DecisionRule, calibrate_rule
from mri_tumor.errors import BundleError, DataError, ParameterError
from mri_tumor.evaluation import ConformalRule
from mri_tumor.labels import BINARY, FOUR

PLAIN = DecisionRule(classes=FOUR, negative_class="notumor")
TWO = DecisionRule(classes=BINARY, negative_class="notumor")


def drawn(n=400, *, temperature=2.5, seed=0):
    """Draw labels and probabilities of a model that is too sure of itself."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 4)) * 1.5
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(4, p=row) for row in p])
    sharp = p**temperature
    return [FOUR[i] for i in truth], sharp / sharp.sum(axis=1, keepdims=True)


def test_one_unit_is_the_probability_of_the_second_class():
    rows = TWO.probabilities(np.array([[0.9], [0.25]], np.float32))
    np.testing.assert_allclose(rows, [[0.1, 0.9], [0.75, 0.25]], atol=1e-7)


@pytest.mark.parametrize(
    "row", [[np.nan] * 4, [np.inf, 0, 0, 0], [0, 0, 0, 0], [0.5, np.nan, 0, 0]]
)
def test_what_is_no_probability_is_no_answer(row):
    with pytest.raises(BundleError, match="no probabilities"):
        PLAIN.probabilities(np.array([[0.1, 0.2, 0.3, 0.4], row]))
    with pytest.raises(BundleError, match="no probabilities"):
        TWO.probabilities(np.array([[0.4], [np.nan]]))


def test_the_temperature_divides_the_logits():
    logits = np.array([[2.0, 0.0, -1.0, 1.0]])
    softmax = np.exp(logits) / np.exp(logits).sum()
    halved = np.exp(logits / 2) / np.exp(logits / 2).sum()
    rule = replace(PLAIN, temperature=2.0)
    np.testing.assert_allclose(rule.probabilities(softmax), halved)


def test_below_the_threshold_the_likeliest_tumor_does_not_count():
    # glioma, meningioma, notumor, pituitary: P(tumor) is 0.55, no tumor class beats notumor.
    rows = np.array([[0.30, 0.20, 0.45, 0.05]])
    assert PLAIN.decide(rows).tolist() == [0]
    assert replace(PLAIN, threshold=0.56).decide(rows).tolist() == [2]
    assert replace(PLAIN, threshold=0.0).decide(np.array([[0, 0, 1.0, 0]])).tolist() == [0]


def test_doubt_is_a_set_with_and_without_a_tumor():
    conformal = ConformalRule(FOUR, "notumor", "lac", 0.9, (0.7,) * 4, False, 99)
    rule = replace(PLAIN, conformal=conformal)
    rows = np.array(
        [[0.4, 0.0, 0.6, 0.0], [0.55, 0.4, 0.05, 0.0], [0.0, 0.0, 1.0, 0.0], [0.9, 0.0, 0.1, 0.0]]
    )
    assert rule.uncertain(rows).tolist() == [True, False, False, False]
    assert not PLAIN.uncertain(rows).any()
    row = rule.assess("a.png", rows[0])
    assert (row.status, row.label) == ("uncertain", "notumor")
    assert "90% coverage" in row.message
    assert rule.assess("a.png", rows[1]).status == "ok"


def test_a_fitted_rule_survives_json():
    labels, rows = drawn()
    rule = calibrate_rule(PLAIN, labels, rows, sensitivity=0.95, coverage=0.9)
    assert DecisionRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule
    assert DecisionRule.from_dict(PLAIN.to_dict()) == PLAIN
    # A bundle from before there was calibration has neither of them.
    old = {"classes": list(BINARY), "negative_class": "notumor", "threshold": 0.4}
    assert DecisionRule.from_dict(old) == replace(TWO, threshold=0.4)


@pytest.mark.parametrize(
    "change",
    [
        {"classes": 3},
        {"negative_class": "healthy"},
        {"threshold": "high"},
        {"temperature": 0},
        {"conformal": {"method": "lac"}},
        {"operating_point": [1]},
    ],
)
def test_what_does_not_hold_together_is_one_error(change):
    with pytest.raises(DataError, match="decision rule"):
        DecisionRule.from_dict({**PLAIN.to_dict(), **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"negative_class": "x"}, "negative_class"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
    ],
)
def test_a_rule_out_of_range_is_refused(change, said):
    with pytest.raises(ParameterError, match=said):
        replace(PLAIN, **change)


def test_calibrating_repairs_confidence_and_keeps_what_was_asked():
    labels, rows = drawn(3000)
    rule = calibrate_rule(PLAIN, labels, rows, sensitivity=0.9, coverage=0.9)
    assert rule.temperature == pytest.approx(2.5, rel=0.1)
    point = rule.operating_point
    assert point.reached
    assert rule.threshold == point.threshold
    fresh_labels, fresh = drawn(3000, seed=1)
    calibrated = rule.probabilities(fresh)
    tumor = np.array(fresh_labels) != "notumor"
    called = rule.decide(calibrated) != FOUR.index("notumor")
    # On other images, within three standard errors of the set sensitivity.
    assert called[tumor].mean() == pytest.approx(0.9, abs=3 * np.sqrt(0.09 / tumor.sum()) + 0.01)
    # An image is uncertain where a set that holds the truth nine times in ten has both.
    uncertain = rule.uncertain(calibrated)
    assert 0 < uncertain.mean() < 1
    wrong = called != tumor
    assert wrong[uncertain].mean() > wrong[~uncertain].mean()


@settings(max_examples=25, deadline=None)
@given(temperature=st.floats(0.5, 5), threshold=st.floats(0, 1), seed=st.integers(0, 100))
def test_what_it_decides_is_what_it_assesses(temperature, threshold, seed):
    rule = replace(PLAIN, temperature=temperature, threshold=threshold)
    rows = rule.probabilities(drawn(5, seed=seed)[1])
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    told = [rule.assess("x", row).label for row in rows]
    assert told == [FOUR[i] for i in rule.decide(rows)]
    both = [rule.assess("x", row).tumor_probability >= threshold for row in rows]
    assert both == [label != "notumor" for label in told]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"sensitivity": 0.9, "specificity": 0.9}, ParameterError, "not both"),
        ({"coverage": 1.0}, ParameterError, "coverage"),
        ({"labels": ["glioma"] * 400}, DataError, "both sides"),
        ({"labels": ["gliom"] * 400}, DataError, "gliom"),
    ],
)
def test_what_cannot_be_calibrated_is_named(options, error, said):
    labels, rows = drawn()
    labels = options.pop("labels", labels)
    with pytest.raises(error, match=said):
        calibrate_rule(PLAIN, labels, rows, **options)
