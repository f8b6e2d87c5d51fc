"""Paired comparison of two models."""

import json

import numpy as np
import pytest
from scipy import stats

from mri_tumor.errors import ParameterError
from mri_tumor.evaluation import compare_predictions, evaluate_predictions, mcnemar
from mri_tumor.labels import BINARY, FOUR


def two_models(n=300, *, seed=0, gain=0.5):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, n)
    logits = rng.normal(size=(n, 4))
    logits[np.arange(n), truth] += 2
    other = logits + 0.5 * rng.normal(size=(n, 4))
    other[np.arange(n), truth] += gain
    p = [np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (logits, other)]
    return [FOUR[i] for i in truth], *p


def test_mcnemar_by_hand():
    # Five against one of six: 2 * (1 + 6) / 64, and half of the probability of the 6 less.
    result = mcnemar([True] * 5 + [False, True], [False] * 5 + [True, True])
    assert (result.only_first, result.only_second) == (5, 1)
    assert result.p_exact == pytest.approx(14 / 64)
    assert result.p_mid == pytest.approx(8 / 64)


@pytest.mark.parametrize(("one", "two"), [(12, 3), (0, 8), (4, 4), (1, 0)])
def test_mcnemar_agrees_with_the_binomial_test(one, two):
    first = np.array([True] * one + [False] * two + [True] * 20)
    second = np.array([False] * one + [True] * two + [True] * 20)
    result = mcnemar(first, second)
    assert result.p_exact == pytest.approx(stats.binomtest(one, one + two).pvalue)
    assert result.p_mid <= result.p_exact


def test_models_that_never_differ():
    assert mcnemar([True, False], [True, False]).p_mid == 1
    labels, first, _ = two_models(100)
    comparison = compare_predictions(labels, first, first, classes=FOUR)
    row = comparison.figures["accuracy"]
    assert row.difference == 0
    # No difference in 100 images leaves room for one of 3.6%.
    assert row.interval[1] == pytest.approx(1 - 0.025 ** (1 / 100))
    assert row.interval[0] == -row.interval[1]
    area = comparison.figures["auc"].interval
    assert area[0] < 0 < area[1]


def test_figures_are_those_of_the_reports():
    labels, first, second = two_models()
    groups = np.arange(300) // 3
    reports = [
        evaluate_predictions(labels, p, classes=FOUR, threshold=t, n_bootstrap=0)
        for p, t in ((first, 0.4), (second, 0.6))
    ]
    comparison = compare_predictions(
        labels, first, second, classes=FOUR, thresholds=(0.4, 0.6), groups=groups
    )
    for name in ("accuracy", "balanced_accuracy", "f1", "auc"):
        row = comparison.figures[name]
        assert row.first == getattr(reports[0], name)
        assert row.difference == pytest.approx(getattr(reports[1], name) - row.first)
        assert row.interval[0] <= row.difference <= row.interval[1]
    row = comparison.figures["tumor_specificity"]
    assert row.second == reports[1].tumor["specificity"]
    assert "Research software, not a medical device." in str(comparison)
    plain = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert plain["figures"]["auc"]["interval"] == list(comparison.figures["auc"].interval)


def test_the_interval_agrees_with_scipy():
    labels, first, second = two_models(500)
    truth = np.array([FOUR.index(name) for name in labels])
    comparison = compare_predictions(labels, first, second, classes=FOUR)
    reports = [
        evaluate_predictions(labels, p, classes=FOUR, n_bootstrap=0) for p in (first, second)
    ]
    called = [report.images.predicted(0.5) for report in reports]
    gain = (called[1] == truth).astype(float) - (called[0] == truth)
    expected = stats.bootstrap(
        (gain,), np.mean, method="percentile", n_resamples=2000, rng=0
    ).confidence_interval
    assert comparison.figures["accuracy"].interval == pytest.approx(tuple(expected), abs=0.008)
    paired = np.ptp(comparison.figures["accuracy"].interval)
    alone = np.ptp(evaluate_predictions(labels, first, classes=FOUR).intervals["accuracy"])
    assert paired < alone


def test_intervals_of_a_difference_hold_the_truth():
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        # In 60 groups of two images the second model gains 4% and loses 1%.
        kind = np.repeat(rng.choice(3, 60, p=[0.95, 0.04, 0.01]), 2)
        first = np.where(kind == 1, 0.1, 0.9)
        second = np.where(kind == 2, 0.1, 0.9)
        comparison = compare_predictions(
            ["tumor"] * 120,
            np.stack([1 - first, first], axis=1),
            np.stack([1 - second, second], axis=1),
            classes=BINARY,
            groups=np.repeat(np.arange(60), 2),
            n_bootstrap=100,
        )
        low, high = comparison.figures["accuracy"].interval
        missed += not low <= 0.03 <= high
    assert missed / 200 < 0.08


def test_less_than_no_resamples_is_refused():
    p = [[0.1, 0.9], [0.9, 0.1]]
    with pytest.raises(ParameterError, match="n_bootstrap"):
        compare_predictions(["tumor", "notumor"], p, p, classes=BINARY, n_bootstrap=-1)


def test_refused_images_count_against_a_model():
    labels = ["tumor", "notumor"] * 10
    p = np.array([[0.1, 0.9], [0.9, 0.1]] * 10)
    missing = np.arange(20) < 6
    comparison = compare_predictions(labels, p, p, classes=BINARY, refused=(missing, None))
    assert comparison.figures["accuracy"].difference == pytest.approx(0.3)
    assert (comparison.right.only_first, comparison.right.only_second) == (0, 6)
    assert comparison.right_side == comparison.right


def test_tumors_of_unknown_subtype_are_compared_as_tumors():
    p = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1]])
    comparison = compare_predictions(["tumor", "notumor"], p, p[::-1], classes=FOUR)
    assert comparison.figures["tumor_sensitivity"].difference == -1
    assert comparison.right.only_first == 1
    assert comparison.right_side.only_first == 2


@pytest.mark.parametrize(
    ("one", "two"), [([1, 0], [1, 0]), ([True], [True, False]), ([[True]], [[True]])]
)
def test_bad_arguments_are_named(one, two):
    with pytest.raises(ParameterError, match="booleans"):
        mcnemar(one, two)
