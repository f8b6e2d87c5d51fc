"""Figures against scikit-learn and cases worked out by hand."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation import EvaluationReport, evaluate_predictions
from mri_tumor.evaluation.measures import Ranked, auc
from mri_tumor.labels import BINARY, FOUR


def made_up(n=300, *, classes=FOUR, seed=0, skill=1.5):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(classes), n)
    logits = rng.normal(size=(n, len(classes)))
    logits[np.arange(n), truth] += skill
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return [classes[i] for i in truth], probabilities


def test_four_classes_agree_with_scikit_learn():
    labels, probabilities = made_up()
    report = evaluate_predictions(labels, probabilities, classes=FOUR, n_bootstrap=0)
    tumors = np.array(probabilities)
    tumors[:, 2] = -1
    called = np.where(1 - probabilities[:, 2] < 0.5, 2, tumors.argmax(axis=1))
    predicted = [FOUR[i] for i in called]
    assert report.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert report.balanced_accuracy == pytest.approx(
        metrics.balanced_accuracy_score(labels, predicted)
    )
    for average in ("macro", "micro"):
        expected = metrics.precision_recall_fscore_support(labels, predicted, average=average)
        figures = getattr(report, average)
        assert [figures[n] for n in ("precision", "recall", "f1")] == pytest.approx(expected[:3])
        area = metrics.roc_auc_score(
            labels, probabilities, average=average, multi_class="ovr", labels=FOUR
        )
        assert figures["auc"] == pytest.approx(area)
    assert (report.precision, report.f1) == (report.macro["precision"], report.macro["f1"])
    assert np.array_equal(
        report.confusion_matrix, metrics.confusion_matrix(labels, predicted, labels=FOUR)
    )
    assert report.most_confused()[0][2] == max(
        report.confusion_matrix[i][j] for i in range(4) for j in range(4) if i != j
    )
    negatives = [label != "glioma" for label in labels]
    assert report.per_class["glioma"]["specificity"] == pytest.approx(
        metrics.recall_score(negatives, [name != "glioma" for name in predicted])
    )


def test_binary_figures_have_the_tumor_as_the_positive_class():
    labels, probabilities = made_up(classes=BINARY, skill=1)
    report = evaluate_predictions(
        labels, probabilities, classes=BINARY, threshold=0.3, n_bootstrap=0
    )
    truth = np.array(labels) == "tumor"
    called = probabilities[:, 1] >= 0.3
    assert report.sensitivity == report.recall == pytest.approx(truth[called].sum() / truth.sum())
    assert report.specificity == pytest.approx((~truth & ~called).sum() / (~truth).sum())
    assert report.precision == report.tumor["ppv"] == pytest.approx(truth[called].mean())
    assert report.tumor["npv"] == pytest.approx((~truth[~called]).mean())
    assert report.f1 == pytest.approx(metrics.f1_score(truth, called))
    assert report.auc == pytest.approx(metrics.roc_auc_score(truth, probabilities[:, 1]))
    assert report.confusion_matrix == report.tumor_confusion_matrix


def test_the_order_of_the_classes_does_not_matter():
    labels, probabilities = made_up(n=80)
    groups = np.arange(80) // 3
    options = {"groups": groups, "n_bootstrap": 200}
    one = evaluate_predictions(labels, probabilities, classes=FOUR, **options)
    order = [2, 0, 3, 1]
    other = evaluate_predictions(
        labels, probabilities[:, order], classes=[FOUR[i] for i in order], **options
    )
    for name in FOUR:
        assert one.per_class[name] == pytest.approx(other.per_class[name])
    assert one.tumor == pytest.approx(other.tumor)
    assert one.intervals["f1"] == pytest.approx(other.intervals["f1"])


def test_a_tumor_of_unknown_subtype_counts_as_a_tumor_only():
    labels = ["glioma", "tumor", "tumor", "notumor"]
    probabilities = [
        [0.7, 0.1, 0.1, 0.1],
        [0.1, 0.6, 0.2, 0.1],
        [0.1, 0.1, 0.7, 0.1],
        [0.0, 0.1, 0.8, 0.1],
    ]
    report = evaluate_predictions(labels, probabilities, classes=FOUR)
    assert report.n_unknown_subtype == 2
    assert report.tumor["sensitivity"] == pytest.approx(2 / 3)
    assert report.accuracy == 1
    assert np.sum(report.confusion_matrix) == 2
    assert report.tumor_confusion_matrix == ((1, 0), (1, 2))
    assert [row["index"] for row in report.worst()] == [2]
    assert report.worst()[0]["label"] == "tumor"


def test_only_tumors_of_unknown_subtype():
    report = evaluate_predictions(["tumor"] * 3, [[0.4, 0.3, 0.2, 0.1]] * 3, classes=FOUR)
    assert report.accuracy is None
    assert report.tumor["sensitivity"] == 1
    assert "n/a" in str(report)


def test_in_a_binary_task_tumor_is_the_positive_class_by_any_name():
    report = evaluate_predictions(
        ["tumor", "no"], [[0.2, 0.8], [0.9, 0.1]], classes=["no", "yes"], negative_class="no"
    )
    assert report.accuracy == 1
    assert report.n_unknown_subtype == 0


def test_a_refused_image_is_wrong_in_every_figure():
    labels = ["notumor", "notumor", "tumor", "tumor"]
    sure = [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]
    whole = evaluate_predictions(labels, sure, classes=BINARY)
    assert whole.coverage == 1
    missing = [[0.9, 0.1], [np.nan, np.nan], [np.nan, np.nan], [0.1, 0.9]]
    report = evaluate_predictions(
        labels, missing, classes=BINARY, refused=[False, True, True, False]
    )
    assert report.coverage == 0.5
    # One of two right on each side; the refused tumor ranks last, the refused healthy one first,
    # so that of the four pairs only the one without a refusal is in order.
    for name in ("sensitivity", "specificity", "ppv", "npv", "f1", "accuracy"):
        assert report.tumor[name] == 0.5, name
    assert report.auc == 0.25
    assert report.refused_by_class == (1, 1)
    assert "refused" in str(report)
    assert [row["index"] for row in report.least_certain()] == [0, 3]
    assert report.worst() == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 39))
def test_refusing_one_more_image_never_helps(seed, index):
    labels, probabilities = made_up(n=40, seed=seed)
    none = np.zeros(40, bool)
    one = none.copy()
    one[index] = True
    before = evaluate_predictions(labels, probabilities, classes=FOUR, n_bootstrap=0)
    after = evaluate_predictions(labels, probabilities, classes=FOUR, refused=one, n_bootstrap=0)
    for figures in ("macro", "micro", "tumor"):
        for name, value in getattr(before, figures).items():
            assert getattr(after, figures)[name] <= value + 1e-12, (figures, name)


def test_a_class_without_images_is_not_available_and_is_left_out_of_the_average():
    labels = ["glioma", "notumor", "pituitary"] * 2
    probabilities = np.eye(4)[[0, 2, 3] * 2]
    report = evaluate_predictions(labels, probabilities, classes=FOUR)
    assert report.per_class["meningioma"]["recall"] is None
    assert report.per_class["meningioma"]["precision"] is None
    assert report.per_class["meningioma"]["specificity"] == 1
    assert report.recall == report.precision == 1
    assert report.intervals["per_class"]["meningioma"]["recall"] is None
    row = next(line for line in str(report).splitlines() if "meningioma" in line)
    assert row.split()[2:5] == ["n/a", "n/a", "n/a"]


def test_a_class_never_called_has_precision_0_as_in_scikit_learn():
    report = evaluate_predictions(["notumor", "tumor"], [[0.9, 0.1], [0.8, 0.2]], classes=BINARY)
    assert report.precision == 0
    assert report.f1 == 0
    assert report.macro["precision"] == 0.25
    low, high = report.intervals["macro"]["precision"]
    assert low < 0.25 < high


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0.25, 0.5, 1]), st.booleans(), st.integers(0, 3)),
        min_size=2,
        max_size=30,
    )
)
def test_weighted_auc_is_that_of_repeated_images(rows):
    scores, sides, weights = map(np.array, zip(*rows, strict=True))
    ranked = Ranked.make(scores.astype(float), sides, np.arange(len(rows)))
    area = auc(ranked, weights[None].astype(float))[0]
    repeated = np.repeat(np.arange(len(rows)), weights)
    if len(set(sides[repeated])) < 2:
        assert np.isnan(area)
    else:
        expected = metrics.roc_auc_score(sides[repeated], scores[repeated])
        assert area == pytest.approx(expected)


def test_the_threshold_belongs_to_the_tumors():
    report = evaluate_predictions(["tumor"], [[0.5, 0.5]], classes=BINARY, threshold=0.5)
    assert report.sensitivity == 1


def test_worst_and_least_certain():
    labels = ["notumor", "tumor", "tumor", "notumor"]
    probabilities = [[0.45, 0.55], [0.9, 0.1], [0.4, 0.6], [0.99, 0.01]]
    report = evaluate_predictions(labels, probabilities, classes=BINARY, files=list("abcd"))
    assert [(row["file"], row["probability"]) for row in report.worst()] == [
        ("b", 0.9),
        ("a", 0.55),
    ]
    assert report.worst(1)[0]["predicted"] == "notumor"
    assert [row["file"] for row in report.least_certain(2)] == ["a", "c"]
    assert report.most_confused() == [("notumor", "tumor", 1), ("tumor", "notumor", 1)]


def test_json_round_trip(tmp_path):
    labels, probabilities = made_up(n=60)
    labels[0] = "tumor"
    refused = np.arange(60) % 10 == 3
    probabilities[refused] = np.nan
    report = evaluate_predictions(
        labels,
        probabilities,
        classes=FOUR,
        refused=refused,
        groups=[f"patient {i // 2}" for i in range(60)],
        files=[f"{i}.jpg" for i in range(60)],
        n_bootstrap=50,
    )
    report.save(tmp_path / "evaluation.json")
    again = EvaluationReport.load(tmp_path / "evaluation.json")
    assert again == report
    assert again.worst(3) == report.worst(3)
    plain = json.loads(report.to_json())
    assert "images" not in plain
    assert plain["n_images_by_class"]["glioma"] == report.n_images_by_class["glioma"]
    for name in ("accuracy", "precision", "recall", "sensitivity", "specificity", "f1", "auc"):
        assert plain[name] == getattr(report, name)
        low, high = plain["intervals"][name]
        assert 0 <= low <= plain[name] <= high <= 1
    bare = EvaluationReport.from_dict(plain)
    assert str(bare) == str(report)
    with pytest.raises(ParameterError, match="without its images"):
        bare.worst()


def test_text_and_html_say_what_they_are():
    report = evaluate_predictions(
        ["<b>x", "notumor"], [[0.9, 0.1], [0.2, 0.8]], classes=["<b>x", "notumor"]
    )
    for shown in (str(report), report._repr_html_()):
        assert "Research software, not a medical device." in shown
        assert "coverage" in shown
    assert "<b>" not in report._repr_html_()
    assert "&lt;b&gt;x" in report._repr_html_()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 1}', '{"format": 99}'])
def test_a_file_that_is_no_evaluation(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(DataError):
        EvaluationReport.load(path)
    with pytest.raises(DataError, match="missing"):
        EvaluationReport.load(tmp_path / "missing.json")


GOOD = {"labels": ["notumor", "tumor"], "probabilities": [[1.0, 0.0], [0.0, 1.0]]}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"labels": []}, DataError, "empty"),
        ({"labels": ["notumor", "glioma"]}, DataError, "glioma"),
        ({"labels": ["notumor"]}, ParameterError, r"\(1, 2\)"),
        ({"probabilities": [[3.0, -2.0], [0, 1]]}, ParameterError, "softmax"),
        ({"probabilities": [[0.5, 0.6], [0, 1]]}, ParameterError, "row 0"),
        ({"probabilities": [[np.nan, 1], [0, 1]]}, ParameterError, "refused"),
        ({"probabilities": [["a", 1], [0, 1]]}, ParameterError, "numbers"),
        ({"probabilities": [[1], [0, 1]]}, ParameterError, "numbers"),
        ({"classes": ["notumor"]}, ParameterError, "two or more"),
        ({"classes": ["no", "tumor"]}, ParameterError, "negative_class"),
        ({"threshold": 1.2}, ParameterError, "threshold"),
        ({"threshold": float("nan")}, ParameterError, "threshold"),
        ({"confidence": 1.0}, ParameterError, "confidence"),
        ({"n_bootstrap": -1}, ParameterError, "n_bootstrap"),
        ({"groups": [1]}, ParameterError, "groups"),
        ({"files": ["a"]}, ParameterError, "files"),
        ({"refused": [0, 1]}, ParameterError, "refused"),
        ({"refused": [True]}, ParameterError, "refused"),
    ],
)
def test_bad_arguments_are_named(change, error, said):
    arguments = {**GOOD, "classes": BINARY, **change}
    labels, probabilities = arguments.pop("labels"), arguments.pop("probabilities")
    with pytest.raises(error, match=said):
        evaluate_predictions(labels, probabilities, **arguments)
