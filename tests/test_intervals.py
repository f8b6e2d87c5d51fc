"""Intervals, curves, points on them and thresholds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation import (
    OperatingPoint,
    choose_threshold,
    clopper_pearson,
    evaluate_predictions,
    precision_recall_curve,
    predictive_values,
    roc_curve,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    wilson,
)
from mri_tumor.evaluation.intervals import figure_interval, group_weights
from mri_tumor.groups import number_groups
from mri_tumor.labels import BINARY, FOUR


def two_sides(n=200, *, seed=0, shift=1.5):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    scores = 1 / (1 + np.exp(-(rng.normal(size=n) + shift * positive - shift / 2)))
    return positive, np.round(scores, 2)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 10), (10, 10), (188, 200)])
def test_proportion_intervals_agree_with_scipy(k, n):
    result = stats.binomtest(k, n)
    for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
        expected = result.proportion_ci(0.9, method=method)
        assert ours(k, n, confidence=0.9) == pytest.approx(tuple(expected))


def test_resamples_are_the_same_in_any_chunks():
    one = np.concatenate(list(group_weights(17, n_resamples=100, seed=3, chunk=7)))
    other = np.concatenate(list(group_weights(17, n_resamples=100, seed=3)))
    assert np.array_equal(one, other)
    assert (one.sum(axis=1) == 17).all()
    # Each group is drawn once on average, with the variance 1 - 1/17 of a multinomial.
    assert one.mean() == 1
    assert one.var() == pytest.approx(1 - 1 / 17, rel=0.1)


def test_interval_of_accuracy_agrees_with_scipy_bootstrap():
    positive, scores = two_sides(400, shift=1)
    labels = [BINARY[int(side)] for side in positive]
    probabilities = np.stack([1 - scores, scores], axis=1)
    report = evaluate_predictions(labels, probabilities, classes=BINARY, n_bootstrap=2000)
    right = (scores >= 0.5) == positive
    expected = stats.bootstrap(
        (right.astype(float),), np.mean, n_resamples=2000, method="percentile", rng=1
    ).confidence_interval
    assert report.intervals["accuracy"] == pytest.approx(tuple(expected), abs=0.008)
    area = stats.bootstrap(
        (positive, scores),
        metrics.roc_auc_score,
        paired=True,
        n_resamples=500,
        method="percentile",
        rng=1,
    ).confidence_interval
    assert report.intervals["auc"] == pytest.approx(tuple(area), abs=0.015)


def coverage_of_the_interval(share, n_groups, per_group, *, alike, n_trials=300):
    """Share of intervals that miss the truth on each side, for shares that differ by group."""
    rng = np.random.default_rng(5)
    misses = np.zeros(2)
    weights = next(group_weights(n_groups, n_resamples=400, seed=1))
    for _ in range(n_trials):
        if alike:  # correlation of images within a group
            a, b = share * (1 - alike) / alike, (1 - share) * (1 - alike) / alike
            each = rng.beta(a, b, n_groups)
        else:
            each = np.full(n_groups, share)
        found = rng.binomial(per_group, each)
        value = found.sum() / (n_groups * per_group)
        low, high = figure_interval(
            value, weights @ found / (n_groups * per_group), n_independent=n_groups
        )
        misses += share < low, share > high
    return 1 - misses.sum() / n_trials


@pytest.mark.parametrize("share", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(
    ("n_groups", "per_group", "alike"), [(20, 1, 0), (300, 1, 0), (100, 5, 0.3), (20, 20, 0.2)]
)
def test_intervals_hold_the_truth_as_often_as_they_say(share, n_groups, per_group, alike):
    # 300 trials have a standard error of 1.3%; the percentile bootstrap alone falls to 18% for
    # the share 0.99 in 20 groups.
    assert coverage_of_the_interval(share, n_groups, per_group, alike=alike) > 0.91


def test_intervals_by_image_are_too_narrow_for_slices_of_the_same_patients():
    rng = np.random.default_rng(0)
    hard = rng.random(40) < 0.3
    groups = np.repeat(np.arange(40), 10)
    p = np.where(hard[groups], 0.3, 0.9)
    options = {"classes": BINARY, "seed": 1}
    labels = ["tumor"] * 400
    probabilities = np.stack([1 - p, p], axis=1)
    by_image = evaluate_predictions(labels, probabilities, **options)
    by_group = evaluate_predictions(labels, probabilities, groups=groups, **options)
    widths = [np.ptp(r.intervals["sensitivity"]) for r in (by_image, by_group)]
    # Every image is like its group: the interval has to be wider by the root of 10.
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(10), rel=0.25)
    assert "No groups were given" in str(by_image)
    assert "No groups" not in str(by_group)


def test_a_perfect_figure_has_an_exact_lower_end():
    labels = ["tumor"] * 30 + ["notumor"] * 10
    p = np.array([0.9] * 30 + [0.1] * 10)
    report = evaluate_predictions(
        labels, np.stack([1 - p, p], axis=1), classes=BINARY, groups=np.arange(40) // 2
    )
    # 15 groups of tumors: 0.025 ** (1 / 15) is the sensitivity at which all are found in one
    # sample of forty.
    assert report.intervals["sensitivity"] == pytest.approx((0.025 ** (1 / 15), 1))
    assert report.intervals["specificity"] == pytest.approx((0.025 ** (1 / 5), 1))
    assert report.intervals["auc"][0] == pytest.approx(0.025 ** (1 / 5))
    assert report.intervals["accuracy"][0] == pytest.approx(0.025 ** (1 / 20))
    assert report.intervals["balanced_accuracy"][0] == pytest.approx(0.025 ** (1 / 10))


def test_macro_figures_at_1_rest_on_the_rarest_class():
    labels = ["glioma"] * 4 + ["meningioma"] * 9 + ["notumor"] * 9 + ["pituitary"] * 9
    report = evaluate_predictions(
        labels, np.eye(4)[[FOUR.index(name) for name in labels]], classes=FOUR
    )
    assert report.intervals["recall"][0] == pytest.approx(0.025 ** (1 / 16))
    # A group ranked last is held against its own class and, as much again, the others.
    assert report.intervals["auc"][0] == pytest.approx(0.025 ** (1 / 8))
    assert report.intervals["per_class"]["glioma"]["auc"][0] == pytest.approx(0.025 ** (1 / 4))
    assert report.intervals["per_class"]["glioma"]["recall"][0] == pytest.approx(0.025 ** (1 / 4))


def test_f1_has_the_exact_interval_of_the_share_behind_it():
    labels = ["tumor"] * 15 + ["notumor"] * 5
    p = np.array([0.9] * 15 + [0.1] * 5)
    report = evaluate_predictions(labels, np.stack([1 - p, p], axis=1), classes=BINARY)
    share = 0.025 ** (1 / 15)
    assert report.intervals["f1"][0] == pytest.approx(2 * share / (1 + share))


def test_intervals_of_whole_reports_hold_the_truth_when_some_patients_are_missed():
    def drawn(seed, n_groups):
        # Three slices of each patient; one patient in thirty is hard, and ranked at random.
        rng = np.random.default_rng(seed)
        tumor = np.repeat(rng.random(n_groups) < 0.6, 3)
        shift = np.where(np.repeat(rng.random(n_groups) < 1 / 30, 3), 0.0, 5.0)
        shared = np.repeat(rng.normal(size=n_groups), 3) + rng.normal(size=3 * n_groups)
        p = 1 / (1 + np.exp(-(shared + shift * (tumor - 0.5))))
        return [BINARY[int(side)] for side in tumor], np.stack([1 - p, p], axis=1), n_groups

    def scored(seed, n_groups, n_bootstrap):
        labels, p, n_groups = drawn(seed, n_groups)
        groups = np.repeat(np.arange(n_groups), 3)
        return evaluate_predictions(
            labels, p, classes=BINARY, groups=groups, n_bootstrap=n_bootstrap
        )

    truth = scored(1, 40_000, 0)
    trials = [scored(seed, 100, 100) for seed in range(100, 220)]
    for name in ("accuracy", "sensitivity", "f1", "auc", "balanced_accuracy"):
        ends = np.array([trial.intervals[name] for trial in trials])
        value = getattr(truth, name)
        held = (ends[:, 0] <= value) & (value <= ends[:, 1])
        assert held.mean() > 0.9, name


def test_groups_with_images_of_both_sides_are_not_counted_twice():
    p = np.array([0.9, 0.1] * 20)
    report = evaluate_predictions(
        ["tumor", "notumor"] * 20,
        np.stack([1 - p, p], axis=1),
        classes=BINARY,
        groups=np.arange(40) // 4,
    )
    for name in ("balanced_accuracy", "sensitivity", "accuracy"):
        assert report.intervals[name][0] == pytest.approx(0.025 ** (1 / 10)), name
    assert report.intervals["macro"]["recall"][0] == pytest.approx(0.025 ** (1 / 10))


def test_a_single_group_says_next_to_nothing():
    positive, scores = two_sides(50)
    report = evaluate_predictions(
        [BINARY[int(side)] for side in positive],
        np.stack([1 - scores, scores], axis=1),
        classes=BINARY,
        groups=["the same patient"] * 50,
    )
    low, high = report.intervals["accuracy"]
    assert low < 0.1 or high > 0.9
    assert high - low > 0.8
    assert "Only 1 group:" in str(report)


def test_the_seed_repeats_the_intervals():
    positive, scores = two_sides()
    labels = [BINARY[int(side)] for side in positive]
    p = np.stack([1 - scores, scores], axis=1)
    runs = [evaluate_predictions(labels, p, classes=BINARY, seed=s) for s in (1, 1, 2)]
    assert runs[0].intervals == runs[1].intervals
    assert runs[0].intervals != runs[2].intervals
    assert runs[0].figures == runs[2].figures


def test_curves_agree_with_scikit_learn():
    positive, scores = two_sides()
    curve = roc_curve(positive, scores, n_bootstrap=100)
    x, y, _ = metrics.roc_curve(positive, scores, drop_intermediate=False)
    assert curve.x == pytest.approx(x)
    assert curve.y == pytest.approx(y)
    assert curve.area == pytest.approx(metrics.roc_auc_score(positive, scores))
    pr = precision_recall_curve(positive, scores, n_bootstrap=100)
    precision, recall, _ = metrics.precision_recall_curve(positive, scores)
    assert pr.x == pytest.approx(recall[::-1])
    assert pr.y == pytest.approx(precision[::-1])
    assert pr.area == pytest.approx(metrics.average_precision_score(positive, scores))
    for one in (curve, pr):
        assert one.area_interval[0] < one.area < one.area_interval[1]
        middle = np.interp(one.grid, one.x, one.y)
        inside = (one.low <= middle + 0.02) & (middle - 0.02 <= one.high)
        assert inside[5:-5].all()
        assert (one.n_positive, one.n_negative) == (positive.sum(), (~positive).sum())


def test_a_perfect_curve_has_a_band():
    positive = np.arange(40) >= 20
    curve = roc_curve(positive, positive.astype(float), n_bootstrap=100)
    assert curve.area == 1
    assert curve.area_interval == pytest.approx((0.025 ** (1 / 20), 1))
    assert curve.low[0] == pytest.approx(0.025 ** (1 / 20))


def test_refused_images_are_ranked_wrong():
    positive = np.array([True, True, False, False])
    scores = [0.9, np.nan, np.nan, 0.1]
    curve = roc_curve(positive, scores, refused=[False, True, True, False], n_bootstrap=0)
    assert curve.area == 0.25
    with pytest.raises(ParameterError, match="refused"):
        roc_curve(positive, scores)


@pytest.mark.parametrize(
    "make",
    [roc_curve, precision_recall_curve, sensitivity_at_specificity],
    ids=lambda f: f.__name__,
)
def test_less_than_no_resamples_is_refused(make):
    named = {"specificity": 0.9} if make is sensitivity_at_specificity else {}
    with pytest.raises(
        ParameterError, match="n_bootstrap must be a whole number, 0 or more; received -1"
    ):
        make(*two_sides(), n_bootstrap=-1, **named)


def test_text_is_no_score():
    with pytest.raises(ParameterError, match="scores must be numbers"):
        roc_curve([True, False], ["high", "low"])
    with pytest.raises(ParameterError, match="p_tumor must be numbers"):
        choose_threshold(["tumor", "notumor"], ["high", "low"])
    with pytest.raises(DataError, match="image 1 is missing"):
        choose_threshold(["tumor", None, "notumor"], [0.9, 0.5, 0.2])


def test_a_perfect_curve_may_sum_up_to_more_than_one():
    positive = np.arange(6) < 3
    for n in range(2, 60):  # many ties of the same two scores
        both = np.repeat(positive, n)
        curve = precision_recall_curve(both, np.where(both, 0.9, 0.1), groups=np.arange(6 * n) % 7)
        assert curve.area == 1


def test_points_on_the_curve():
    positive, scores = two_sides()
    x, y, cuts = metrics.roc_curve(positive, scores, drop_intermediate=False)
    found = sensitivity_at_specificity(positive, scores, specificity=0.9)
    allowed = x <= 0.1 + 1e-12
    assert found.value == pytest.approx(y[allowed].max())
    assert found.threshold in cuts
    assert found.interval[0] < found.value < found.interval[1]
    kept = specificity_at_sensitivity(positive, scores, sensitivity=0.9)
    assert kept.value == pytest.approx(1 - x[y >= 0.9 - 1e-12].min())
    assert (positive & (scores >= kept.threshold)).sum() / positive.sum() >= 0.9
    assert kept.interval[0] < kept.value < kept.interval[1]


def test_points_where_nothing_can_be_called():
    positive = np.array([False, True])
    point = sensitivity_at_specificity(positive, [0.9, 0.1], specificity=1.0, n_bootstrap=0)
    assert point.value == 0
    assert point.threshold is None
    assert (
        specificity_at_sensitivity(positive, [0.9, 0.1], sensitivity=0, n_bootstrap=0).value == 1
    )


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_predictive_values_are_bayes_rule(sensitivity, specificity, prevalence):
    ppv, npv = predictive_values(sensitivity, specificity, prevalence=prevalence)
    odds = prevalence / (1 - prevalence)
    assert ppv / (1 - ppv) == pytest.approx(odds * sensitivity / (1 - specificity), rel=1e-6)
    assert npv / (1 - npv) == pytest.approx(specificity / (1 - sensitivity) / odds, rel=1e-6)


def test_predictive_values_of_a_report_at_its_own_prevalence():
    positive, scores = two_sides(400)
    report = evaluate_predictions(
        [BINARY[int(side)] for side in positive],
        np.stack([1 - scores, scores], axis=1),
        classes=BINARY,
    )
    at_home = report.predictive_values(prevalence=positive.mean())
    assert at_home["ppv"] == pytest.approx(report.tumor["ppv"])
    assert at_home["npv"] == pytest.approx(report.tumor["npv"])
    low, high = at_home["intervals"]["ppv"]
    assert low < at_home["ppv"] < high
    # The resamples vary the prevalence too, which is set here.
    assert high - low == pytest.approx(np.ptp(report.intervals["tumor"]["ppv"]), rel=0.1)
    assert report.predictive_values(prevalence=0.01)["ppv"] < at_home["ppv"]


def test_threshold_for_a_sensitivity():
    labels = ["notumor"] * 5 + ["tumor"] * 5
    p = [0.05, 0.1, 0.2, 0.55, 0.7, 0.3, 0.6, 0.8, 0.9, 0.95]
    # Four of five tumors are at 0.6 and above, with one healthy image among them.
    point = choose_threshold(labels, p, sensitivity=0.8)
    assert point.threshold == pytest.approx((0.55 + 0.6) / 2)
    assert (point.sensitivity, point.specificity) == (0.8, 0.8)
    assert point.reached
    assert point.sensitivity_interval[0] < 0.8 < point.sensitivity_interval[1]
    everything = choose_threshold(labels, p, sensitivity=1.0)
    assert everything.threshold == pytest.approx((0.2 + 0.3) / 2)


def test_threshold_for_a_specificity():
    labels = ["notumor"] * 5 + ["tumor"] * 5
    p = [0.05, 0.1, 0.2, 0.55, 0.7, 0.3, 0.6, 0.8, 0.9, 0.95]
    point = choose_threshold(labels, p, specificity=0.8)
    assert point.threshold == pytest.approx((0.55 + 0.6) / 2)
    point = choose_threshold(labels, p, specificity=1.0)
    assert point.threshold == pytest.approx(0.75)
    assert (point.sensitivity, point.specificity) == (0.6, 1.0)
    lost = choose_threshold(["notumor", "tumor"], [1.0, 0.5], specificity=1.0)
    assert not lost.reached
    assert OperatingPoint.from_dict(lost.to_dict()) == lost
    assert OperatingPoint.from_dict(point.to_dict()) == point
    with pytest.raises(DataError, match="operating point"):
        OperatingPoint.from_dict({"threshold": 0.5})


def test_threshold_of_the_best_balance_by_hand():
    labels = ["notumor"] * 5 + ["tumor"] * 5
    p = [0.05, 0.1, 0.2, 0.55, 0.7, 0.3, 0.6, 0.8, 0.9, 0.95]
    # From 0.2 to 0.3: all tumors, 3 of 5 left alone; 0.55 to 0.6: 4 and 4 of 5; above 0.7: 3
    # and all 5. All have the mean 0.8, with a standard error of half of
    # sqrt(0.6 * 0.4 / 5) = 0.11 in the first of them. So the gap from 0.3 to 0.55, where 4 and 3
    # of 5 are right, is as good for all that ten images can tell, and 0.5 lies in it.
    point = choose_threshold(labels, p)
    assert point.threshold == pytest.approx(0.4875)  # not in the outer quarter of the gap
    assert (point.target, point.reached) == ("balance", True)
    assert point.target_value == pytest.approx(0.7)
    assert (point.sensitivity, point.specificity) == (0.8, 0.6)
    # A hundred times as many images tell more: the middle of the best gap nearest to 0.5.
    point = choose_threshold(labels * 100, p * 100, n_bootstrap=0)
    assert point.threshold == pytest.approx(0.575)
    assert point.target_value == pytest.approx(0.8)
    # One more tumor at 0.25 makes the first gap, now from 0.2 to 0.25, the best: 1 and 3/5.
    # 4/6 and 4/5 in the middle, 3/6 and 1 above.
    point = choose_threshold(["tumor", *labels] * 100, [0.25, *p] * 100, n_bootstrap=0)
    assert point.threshold == pytest.approx(0.225)
    assert point.target_value == pytest.approx(0.8)


def test_the_sides_weigh_the_same_in_the_balance():
    # One tumor below 90 of 100 healthy images: calling it costs 0.9 of specificity, leaving it
    # a whole sensitivity, whatever the numbers of images.
    labels = ["tumor"] + ["notumor"] * 100
    p = [0.15] + [0.1] * 10 + [0.2] * 90
    point = choose_threshold(labels, p, n_bootstrap=0)
    assert point.threshold == pytest.approx(0.125)
    assert (point.sensitivity, point.specificity) == (1.0, 0.1)


def test_a_model_that_tells_nothing_keeps_the_threshold_in_range():
    point = choose_threshold(["tumor", "notumor"] * 5, [0.5] * 10, n_bootstrap=0)
    assert 0 <= point.threshold <= 1
    assert point.target_value == 0.5


def test_a_threshold_between_two_separate_sides_is_in_the_middle():
    labels = ["glioma", "tumor", "notumor"] * 20
    p = [0.9, 0.99, 0.1] * 20
    for target in ({}, {"sensitivity": 0.9}, {"specificity": 0.9}, {"specificity": 1.0}):
        assert choose_threshold(labels, p, n_bootstrap=0, **target).threshold == 0.5


def test_images_with_the_same_probability_stay_together():
    labels = ["tumor", "tumor", "notumor", "notumor"]
    point = choose_threshold(labels, [0.5, 0.9, 0.5, 0.5], sensitivity=1.0)
    assert point.threshold <= 0.5
    assert (point.sensitivity, point.specificity) == (1, 0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=2, max_size=40),
    st.sampled_from([0.5, 0.9, 0.98, 1.0]),
    st.sampled_from(["sensitivity", "specificity"]),
)
def test_no_threshold_is_better(rows, least, target):
    tumor = np.array([side for side, _ in rows])
    p = np.array([score / 10 for _, score in rows])
    if tumor.all() or not tumor.any():
        return
    labels = [BINARY[int(side)] for side in tumor]
    point = choose_threshold(labels, p, n_bootstrap=0, **{target: least})
    best = -1.0
    for cut in np.arange(-0.05, 1.06, 0.1):
        rates = {
            "sensitivity": (p[tumor] >= cut).mean(),
            "specificity": (p[~tumor] < cut).mean(),
        }
        kept = rates.pop(target)
        if kept >= least - 1e-12:
            best = max(best, *rates.values())
    other = "specificity" if target == "sensitivity" else "sensitivity"
    if point.reached:
        assert getattr(point, other) == pytest.approx(best)
    assert 0 <= point.threshold <= 1


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: clopper_pearson(3, 2), ParameterError, "trials"),
        (lambda: wilson(0, 0), ParameterError, "trials"),
        (lambda: wilson(1, 2, confidence=0), ParameterError, "confidence"),
        (lambda: roc_curve([True, True], [0.1, 0.2]), DataError, "both sides"),
        (lambda: roc_curve([1, 0], [0.1, 0.2]), ParameterError, "booleans"),
        (lambda: roc_curve([True, False], [0.1]), ParameterError, "each score"),
        (lambda: roc_curve([True, False], [0, 1], refused=[True]), ParameterError, "refused"),
        (lambda: predictive_values(2, 0.5, prevalence=0.1), ParameterError, "sensitivity"),
        (lambda: choose_threshold(["tumor"], [0.5]), DataError, "both sides"),
        (lambda: choose_threshold(["tumor", "notumor"], [0.5]), ParameterError, "p_tumor"),
        (lambda: choose_threshold(["tumor", "notumor"], [0.5, np.nan]), ParameterError, "p_tumor"),
        (
            lambda: choose_threshold(
                ["tumor", "notumor"], [0.5, 0.4], sensitivity=0.9, specificity=0.9
            ),
            ParameterError,
            "not both",
        ),
        (
            lambda: choose_threshold(["tumor", "notumor"], [0.5, 0.4], sensitivity=9),
            ParameterError,
            "sensitivity",
        ),
    ],
)
def test_bad_arguments_are_named(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_each_unknown_patient_is_a_group_of_its_own():
    for missing in (None, float("nan"), np.float64("nan"), pd.NA):
        assert number_groups(["a", missing, "b", missing, "a"], 5).tolist() == [0, 1, 2, 3, 0]
    assert number_groups(pd.Series([1.0, None, 1.0, None]), 4).tolist() == [0, 1, 0, 2]
