"""Two classifiers on the same images."""

import numpy as np
import pytest
from drawing import blobs

from mri_tumor.classifier import TumorClassifier
from mri_tumor.comparing import compare_classifiers
from mri_tumor.data import LeakWarning
from mri_tumor.errors import DataError, ParameterError


@pytest.fixture(scope="module")
def held():
    return blobs(10, seed=50)  # none of them looks like one that a model here has seen


def kinds(labels):
    names = ["glioma", "meningioma", "pituitary"]
    return [names[i % 3] if label == "tumor" else label for i, label in enumerate(labels)]


@pytest.fixture(scope="module")
def of_four(tiny):
    images, labels = blobs(12, seed=3)
    return TumorClassifier("tiny", weights=None, epochs=2, augmentation=None).fit(
        images, kinds(labels)
    )


def test_a_model_does_not_differ_from_itself(fitted, held):
    found = compare_classifiers(fitted, fitted, *held, n_bootstrap=50)
    assert found.figures["accuracy"].difference == 0
    assert found.right.p_exact == 1
    assert found.coverage == (1.0, 1.0)
    assert found.n_images == 20
    assert "coverage" in str(found)


def test_figures_are_those_of_the_evaluations(fitted, held, tmp_path):
    other = TumorClassifier.load(fitted.save(tmp_path / "model"))
    other.rule_ = type(other.rule_).from_dict({**other.rule_.to_dict(), "threshold": 0.99})
    found = compare_classifiers(fitted, other, *held, n_bootstrap=20)
    for name, model in (("first", fitted), ("second", other)):
        report = model.evaluate(*held, n_bootstrap=0)
        assert getattr(found.figures["tumor_sensitivity"], name) == report.tumor["sensitivity"]


def test_models_of_other_classes_are_compared_as_to_tumor_or_not(fitted, of_four, held):
    images, labels = held
    found = compare_classifiers(fitted, of_four, images, kinds(labels), n_bootstrap=20)
    assert found.figures["accuracy"].first == fitted.evaluate(*held, n_bootstrap=0).accuracy
    p = 1 - of_four.predict_proba(images)[:, of_four.classes_.tolist().index("notumor")]
    right = (p >= 0.5) == (np.array(labels) == "tumor")
    assert found.figures["tumor_accuracy"].second == pytest.approx(right.mean())


def test_what_cannot_be_compared_is_named(fitted, tiny, held, blob_images):
    images, labels = held
    with pytest.raises(DataError, match="gliom"):
        compare_classifiers(fitted, fitted, images, ["gliom"] * 20)
    with pytest.warns(LeakWarning, match=r"the (first|second) model"):
        compare_classifiers(fitted, fitted, *blob_images, n_bootstrap=0)
    own = ["healthy" if label == "notumor" else "ill" for label in labels]
    other = TumorClassifier("tiny", weights=None, epochs=1, negative_class="healthy").fit(
        images, own
    )
    with pytest.raises(ParameterError, match="healthy"):
        compare_classifiers(fitted, other, images, labels)


def test_images_of_a_generator_are_measured_as_those_of_a_list(fitted, held):
    images, labels = held
    report = fitted.evaluate((image for image in images), labels, n_bootstrap=0)
    assert report.figures == fitted.evaluate(images, labels, n_bootstrap=0).figures
    found = compare_classifiers(fitted, fitted, iter(images), labels, n_bootstrap=0)
    assert found.n_images == len(labels)


@pytest.mark.parametrize("missing", [None, float("nan")], ids=str)
def test_unknown_patients_are_each_their_own(fitted, held, missing):
    images, labels = held
    groups = [missing] * 16 + ["a", "a", "b", "b"]
    assert fitted.evaluate(images, labels, groups=groups, n_bootstrap=0).n_groups == 18
    assert (
        compare_classifiers(fitted, fitted, images, labels, groups=groups, n_bootstrap=0).n_groups
        == 18
    )
