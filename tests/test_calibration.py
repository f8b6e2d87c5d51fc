"""Calibration error, Brier score, reliability and temperature."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation import (
    apply_temperature,
    brier_score,
    evaluate_predictions,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability_curve,
    wilson,
)
from mri_tumor.labels import BINARY, FOUR


def softmax(logits):
    parts = np.exp(logits - logits.max(axis=1, keepdims=True))
    return parts / parts.sum(axis=1, keepdims=True)


def honest(n=4000, *, n_classes=4, seed=0):
    """Logits, and labels drawn from the very probabilities they stand for."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, n_classes))
    drawn = (softmax(logits).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return np.minimum(drawn, n_classes - 1), logits


def test_calibration_error_by_hand():
    assert expected_calibration_error([0, 1], [[0.75, 0.25], [0.25, 0.75]]) == 0.25
    # Two bins: in (0, 0.5] one right answer of two at a confidence of 0.5; in (0.5, 1] one of
    # two at 0.8: 0.5 * 0 + 0.5 * 0.3.
    p = [[0.5, 0.5], [0.5, 0.5], [0.8, 0.2], [0.2, 0.8]]
    assert expected_calibration_error([0, 1, 0, 0], p, n_bins=2) == pytest.approx(0.15)


def test_confidence_of_1_is_in_the_last_bin():
    assert expected_calibration_error([0, 0], [[1.0, 0.0], [0.0, 1.0]]) == pytest.approx(0.5)


def test_brier_score_agrees_with_scikit_learn():
    truth, logits = honest(200, n_classes=2)
    p = softmax(logits)
    expected = metrics.brier_score_loss(truth, p[:, 1])
    assert brier_score(truth, p) == pytest.approx(2 * expected)
    assert brier_score([0], [[0.0, 1.0]]) == 2


def test_reliability_agrees_with_scikit_learn():
    truth, logits = honest(500, n_classes=2)
    p = softmax(logits)[:, 1]
    curve = reliability_curve(truth == 1, p, n_bins=10)
    observed, predicted = calibration_curve(truth, p, n_bins=10)
    full = curve.counts > 0
    assert curve.observed[full] == pytest.approx(observed)
    assert curve.predicted[full] == pytest.approx(predicted)
    assert curve.counts.sum() == 500
    first = curve.observed[0] * curve.counts[0], curve.counts[0]
    assert (curve.low[0], curve.high[0]) == pytest.approx(wilson(*first))


def test_an_empty_bin_has_no_value():
    curve = reliability_curve([True, False], [0.9, 0.7], n_bins=2)
    assert np.isnan(curve.observed[0])
    assert np.isnan(curve.low[0])
    assert curve.counts.tolist() == [0, 2]


@pytest.mark.parametrize("true_temperature", [0.7, 1.0, 2.5])
@pytest.mark.parametrize("classes", [BINARY, FOUR])
def test_the_temperature_that_was_put_in_is_found(true_temperature, classes):
    truth, logits = honest(n_classes=len(classes))
    labels = [classes[i] for i in truth]
    p = softmax(logits * true_temperature)
    found = fit_temperature(labels, p, classes=classes)
    assert found == pytest.approx(true_temperature, rel=0.06)
    better = apply_temperature(p, found)
    assert better == pytest.approx(softmax(logits * true_temperature / found), abs=2e-5)
    losses = [negative_log_likelihood(labels, x, classes=classes) for x in (p, better)]
    assert losses[1] <= losses[0]
    assert expected_calibration_error(truth, better) < 0.02


def test_the_loss_is_that_of_scikit_learn_and_is_lowest_at_the_temperature():
    truth, logits = honest(400)
    labels = [FOUR[i] for i in truth]
    p = softmax(1.7 * logits)
    loss = negative_log_likelihood(labels, p, classes=FOUR)
    assert loss == pytest.approx(metrics.log_loss(labels, p, labels=list(FOUR)))
    best = fit_temperature(labels, p, classes=FOUR)

    def at(temperature):
        return negative_log_likelihood(labels, apply_temperature(p, temperature), classes=FOUR)

    assert at(best) < min(at(best * 1.01), at(best * 0.99))


def test_unknown_subtypes_take_part_as_tumors():
    truth, logits = honest()
    labels = [FOUR[i] for i in truth]
    p = softmax(2 * logits)
    coarse = ["notumor" if name == "notumor" else "tumor" for name in labels]
    assert fit_temperature(coarse, p, classes=FOUR) == pytest.approx(2, rel=0.1)
    loss = negative_log_likelihood(["tumor"], [[0.2, 0.1, 0.4, 0.3]], classes=FOUR)
    assert loss == pytest.approx(-np.log(0.6))


def test_the_range_is_kept():
    labels, p = ["tumor", "notumor"], [[0.1, 0.9], [0.9, 0.1]]
    assert fit_temperature(labels, p, classes=BINARY) == 0.5
    assert fit_temperature(labels, p[::-1], classes=BINARY) == pytest.approx(10)
    assert fit_temperature(labels, p, classes=BINARY, bounds=(0.9, 2)) == pytest.approx(0.9)


def test_refused_images_are_left_out():
    labels, p = ["tumor"] * 4 + ["notumor"], [[0.1, 0.9]] * 5
    shorter = fit_temperature(labels[1:], p[1:], classes=BINARY)
    missing = np.array([True, False, False, False, False])
    rows = [[np.nan, np.nan], *p[1:]]
    assert fit_temperature(labels, rows, classes=BINARY, refused=missing) == shorter
    with pytest.raises(DataError, match="refused"):
        fit_temperature(labels, p, classes=BINARY, refused=np.ones(5, bool))


def test_certain_probabilities_survive():
    out = apply_temperature([[1.0, 0.0], [np.nan, np.nan]], 2.0)
    assert out[0].sum() == pytest.approx(1)
    assert out[0, 1] == pytest.approx(1e-6, rel=1e-3)
    assert np.isnan(out[1]).all()
    same = np.array([[0.3, 0.7]])
    assert np.array_equal(apply_temperature(same, 1.0), same)


def test_the_report_describes_calibration_of_what_was_answered():
    labels = ["tumor", "notumor", "tumor"]
    p = [[0.25, 0.75], [0.75, 0.25], [np.nan, np.nan]]
    report = evaluate_predictions(labels, p, classes=BINARY, refused=[False, False, True])
    assert report.calibration["n_images"] == 2
    assert report.calibration["tumor"]["expected_calibration_error"] == pytest.approx(0.25)
    assert report.calibration["tumor"]["brier_score"] == pytest.approx(0.125)
    none = evaluate_predictions(["tumor"], [[np.nan] * 2], classes=BINARY, refused=[True])
    assert none.calibration is None
    assert none.sensitivity == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: expected_calibration_error([0], [[2.0, -1.0]]), "softmax"),
        (lambda: expected_calibration_error([], np.zeros((0, 2))), "labels"),
        (lambda: expected_calibration_error([2], [[0.5, 0.5]]), "labels"),
        (lambda: expected_calibration_error([0.0], [[0.5, 0.5]]), "labels"),
        (lambda: expected_calibration_error([0], [0.5, 0.5]), "shape"),
        (lambda: expected_calibration_error([0], [[0.5, 0.5]], n_bins=0), "n_bins"),
        (lambda: reliability_curve([1], [0.5]), "booleans"),
        (lambda: reliability_curve([True], [1.5]), "probabilities"),
        (lambda: apply_temperature([[0.5, 0.5]], 0), "temperature"),
        (lambda: apply_temperature([0.5], 1), "dimensions"),
        (
            lambda: fit_temperature(["tumor"], [[0.5, 0.5]], classes=BINARY, bounds=(2, 1)),
            "bounds",
        ),
    ],
)
def test_bad_arguments_are_named(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
