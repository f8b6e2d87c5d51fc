"""The estimator: learning, answering, the scikit-learn contract."""

import re

import numpy as np
import pandas as pd
import pytest
from drawing import blobs
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score

from mri_tumor.classifier import TumorClassifier
from mri_tumor.data import LeakWarning, load_dataset
from mri_tumor.errors import DataError, ImageError, NotFittedError, ParameterError
from mri_tumor.phantoms import make_phantoms


def small(**changes):
    options = {"weights": None, "epochs": 2, "augmentation": None, "dropout": 0.0, **changes}
    return TumorClassifier("tiny", **options)


@pytest.fixture(scope="module")
def unseen():
    return blobs(seed=7)


def test_it_learns_what_a_spot_is(fitted, unseen):
    images, labels = unseen
    assert (fitted.predict(images) == labels).mean() >= 0.9
    assert fitted.score(images, labels) >= 0.9


def test_probabilities_are_ordered_like_the_classes_and_sum_to_one(fitted, unseen):
    images, labels = unseen
    rows = fitted.predict_proba(images)
    assert fitted.classes_.tolist() == ["notumor", "tumor"]
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-12)
    assert rows[labels == "tumor", 1].mean() > 0.7


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(10)))
def test_an_answer_depends_on_its_image_alone(order, fitted, unseen):
    images = unseen[0][:10]
    together = fitted.predict_proba(images)
    np.testing.assert_allclose(
        fitted.predict_proba(images[list(order)]), together[list(order)], atol=1e-6
    )


def test_one_by_one_equals_a_batch(fitted, unseen):
    images = unseen[0][:4]
    single = np.concatenate([fitted.predict_proba(image[None]) for image in images])
    np.testing.assert_allclose(single, fitted.predict_proba(images), atol=1e-6)


def test_files_floats_and_colour_answer_like_bytes(fitted, unseen, tmp_path):
    images = unseen[0][:3]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    expected = fitted.predict_proba(images)
    np.testing.assert_allclose(fitted.predict_proba(paths), expected, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_proba(images / 255.0), expected, atol=1e-6)
    colour = np.repeat(images[..., None], 3, axis=-1)
    np.testing.assert_allclose(fitted.predict_proba(colour), expected, atol=1e-6)


def test_the_threshold_decides(fitted, unseen):
    images = unseen[0]
    tumor = fitted.predict_proba(images)[:, 1]
    for threshold in (0.0, float(np.median(tumor)), 1.0):
        called = fitted.predict(images, threshold=threshold) == "tumor"
        np.testing.assert_array_equal(called, tumor >= threshold)
        rows = fitted.assess(images, threshold=threshold)
        assert [row.label == "tumor" for row in rows] == called.tolist()


def test_the_same_seed_gives_the_same_model(tiny, blob_images):
    images, labels = blob_images
    first = small(seed=5, augmentation="standard").fit(images, labels)
    second = small(seed=5, augmentation="standard").fit(images, labels)
    np.testing.assert_allclose(
        first.predict_proba(images), second.predict_proba(images), atol=1e-5
    )
    assert first.history_["loss"] == pytest.approx(second.history_["loss"], rel=1e-4)


def test_fit_starts_fresh(tiny, blob_images):
    images, labels = blob_images
    clf = small(seed=5)
    once = clf.fit(images, labels).predict_proba(images)
    again = clf.fit(images, labels).predict_proba(images)
    np.testing.assert_allclose(once, again, atol=1e-5)


def test_cached_and_streamed_training_are_the_same_without_augmentation(tiny, blob_images):
    images, labels = blob_images
    options = {"seed": 2, "epochs": 3, "finetune_epochs": 2, "finetune_layers": 1}
    cached = small(**options).fit(images, labels)
    streamed = small(**options, cache=False, n_variants=1).fit(images, labels)
    # Cached activations are kept in half precision, which costs about three digits.
    np.testing.assert_allclose(
        cached.predict_proba(images), streamed.predict_proba(images), atol=2e-3
    )


def test_finetune_goes_on_from_the_model_there_is(tiny, blob_images):
    images, labels = blob_images
    clf = small(epochs=3).fit(images, labels)
    before = len(clf.history_["loss"])
    clf.finetune(images, labels, epochs=2)
    assert clf.history_["stage"][before:] == ["finetune"] * 2
    with pytest.raises(ParameterError, match="epochs"):
        clf.finetune(images, labels, epochs=0)
    with pytest.raises(NotFittedError, match="fit"):
        small().finetune(images, labels)


def test_it_never_ends_worse_on_the_validation_part_than_it_began(tiny, blob_images):
    images, labels = blob_images
    held = blobs(6, seed=11)
    clf = small(epochs=3).fit(images, labels, validation_data=held)
    wild = clf.set_params(finetune_learning_rate=50.0)
    before = clf.predict_proba(held[0])
    wild.finetune(images, labels, validation_data=held, epochs=2)
    np.testing.assert_allclose(clf.predict_proba(held[0]), before, atol=1e-6)


def test_four_classes_learn_from_tumors_of_unknown_kind(tiny):
    images, spots = blobs(12, seed=3)
    kinds = ["glioma", "meningioma", "pituitary", "tumor"]
    labels = [kinds[i % 4] if spot == "tumor" else "notumor" for i, spot in enumerate(spots)]
    clf = small(epochs=3).fit(images, labels)
    assert clf.classes_.tolist() == ["glioma", "meningioma", "notumor", "pituitary"]
    with pytest.warns(LeakWarning):
        report = clf.evaluate(images, labels, n_bootstrap=0)
    assert report.n_unknown_subtype == labels.count("tumor")


def test_assess_gives_a_row_for_every_image_and_raises_for_none(fitted, unseen, tmp_path):
    good, broken = tmp_path / "good.png", tmp_path / "broken.png"
    Image.fromarray(unseen[0][0]).save(good)
    broken.write_bytes(good.read_bytes()[:200])
    rows = fitted.assess([good, broken, tmp_path / "missing.png", good])
    assert [row.status for row in rows] == ["ok", "error", "error", "ok"]
    assert rows[1].label is None
    assert rows[1].probabilities is None
    assert "broken.png" in rows[1].message
    assert list(rows[0].probabilities) == ["notumor", "tumor"]
    assert rows[0].tumor_probability == pytest.approx(1 - rows[0].probabilities["notumor"])
    assert rows[0].to_dict().keys() == {
        "file", "label", "tumor_probability", "probabilities", "status", "message",
    }  # fmt: skip


def test_an_array_that_cannot_be_used_is_a_row_among_good_ones(fitted, unseen):
    bad = unseen[0][0].astype(float)
    bad[2, 2] = np.nan
    rows = fitted.assess([unseen[0][0], bad, unseen[0][1]])
    assert [row.status for row in rows] == ["ok", "error", "ok"]
    assert "X[1]" in rows[1].message
    # Another number of images in a batch may round otherwise in the last place.
    first, second = (fitted.assess(unseen[0][k : k + 1])[0].probabilities for k in (0, 1))
    assert rows[2].probabilities == pytest.approx(second, abs=1e-6)
    assert rows[2].probabilities != pytest.approx(first, abs=1e-4)


def test_a_tumour_of_unknown_kind_is_scored_right_whatever_kind_is_said(tiny, blob_images):
    images = blob_images[0]
    names = np.array(["glioma", "notumor", "pituitary"] * 8)
    classifier = small(epochs=1).fit(images, names)
    called = classifier.predict(images)
    assert classifier.score(images, called) == 1
    assert classifier.score(images, ["tumor"] * 24) == (called != "notumor").mean()
    assert classifier.score(images, names) == (called == names).mean()
    for label in ("Glioma?", "meningioma"):
        with pytest.raises(DataError, match=re.escape(label)):
            classifier.score(images, [label] * 24)


def test_a_fit_that_fails_leaves_the_model_that_was_there(tiny, blob_images, tmp_path):
    images, labels = blob_images
    paths = [tmp_path / f"{i}.png" for i in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    paths[5].write_bytes(b"no picture")
    classifier = small()
    with pytest.raises(ImageError, match=r"5\.png"):
        classifier.fit(paths, labels)
    with pytest.raises(NotFittedError):
        classifier.predict(images)
    classifier.fit(images, labels).calibrate(images, labels)
    rule, before = classifier.rule_, classifier.predict_proba(images)
    with pytest.raises(ImageError):
        classifier.fit(paths, ["glioma" if name == "tumor" else name for name in labels])
    assert classifier.rule_ is rule
    assert classifier.classes_.tolist() == ["notumor", "tumor"]
    np.testing.assert_array_equal(classifier.predict_proba(images), before)


def test_a_finetune_that_is_stopped_leaves_the_weights_and_what_belongs_to_them(
    tiny, blob_images, monkeypatch
):
    images, labels = blob_images
    classifier = small().fit(images, labels).calibrate(images, labels)
    rule, before = classifier.rule_, classifier.predict_proba(images)
    weights, history = classifier.model_.get_weights(), str(classifier.history_)

    def stopped(learner, *_args, history, **_options):
        learner.set_weights([values + 1 for values in learner.get_weights()])
        history["loss"].append(0.0)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mri_tumor.training.fitting.run_stage", stopped)
        with pytest.raises(KeyboardInterrupt):
            classifier.finetune(images, labels)
    for now, then in zip(classifier.model_.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    assert str(classifier.history_) == history
    assert classifier.rule_ is rule
    np.testing.assert_array_equal(classifier.predict_proba(images), before)


def test_the_score_is_the_accuracy_of_a_data_set_too(fitted, unseen, blob_folder):
    right = fitted.predict(unseen[0]) == np.array(unseen[1])
    assert fitted.score(*unseen) == right.mean()
    weights = np.arange(1.0, len(right) + 1)
    expected = (right * weights).sum() / weights.sum()
    assert fitted.score(*unseen, sample_weight=weights) == pytest.approx(expected)
    data = load_dataset(blob_folder)
    own = fitted.predict(data.test.paths) == np.array(data.test.labels)
    assert fitted.score(data.test) == own.mean()
    with pytest.raises(DataError, match="2 labels for 1 images"):
        fitted.score(unseen[0][:1], ["tumor", "tumor"])


def test_predict_and_explain_raise_for_an_unreadable_file(fitted, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    for ask in (fitted.predict, fitted.predict_proba, fitted.explain):
        with pytest.raises(ImageError, match=r"bad\.png"):
            ask([bad])


def test_an_unreadable_image_counts_as_wrong(fitted, tmp_path):
    images, labels = blobs(seed=11)
    paths = []
    for i, image in enumerate(images):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(image).save(paths[-1])
    whole = fitted.evaluate(paths, labels, n_bootstrap=0)
    paths[0].write_bytes(b"")
    part = fitted.evaluate(paths, labels, n_bootstrap=0)
    assert part.coverage == pytest.approx(1 - 1 / len(images))
    right = fitted.predict(images[:1])[0] == labels[0]
    assert part.accuracy == pytest.approx(whole.accuracy - right / len(images))


def test_heatmaps_lie_on_the_image_as_given(fitted, unseen):
    images, labels = unseen
    wide = np.pad(images[labels == "tumor"][0], ((0, 0), (40, 0)))
    heatmap = fitted.explain([wide])[0]
    assert heatmap.values.shape == wide.shape == (80, 120)
    assert heatmap.target == "tumor"
    assert heatmap.values[:, :30].max() == 0


def test_a_data_set_brings_labels_and_groups(tiny, blob_folder):
    from mri_tumor.data import load_dataset

    data = load_dataset(blob_folder)
    clf = small().fit(data.train, validation_data=data.validation)
    assert clf.classes_.tolist() == ["notumor", "tumor"]
    assert set(clf.data_["seen"]) == {
        name[:16] for part in (data.train, data.validation) for name in part.content_hashes
    }
    assert clf.evaluate(data.test, n_bootstrap=0).grouped


def test_clone_and_parameters(tiny):
    clf = small(epochs=7, class_weight={"tumor": 2.0})
    copy = clone(clf)
    assert copy.get_params() == clf.get_params()
    assert copy is not clf


def test_cross_validation_and_grid_search_over_paths(tiny, blob_folder):
    paths = sorted(str(path) for path in blob_folder.rglob("*.png"))
    labels = [path.split("/")[-2] for path in paths]
    folds = StratifiedGroupKFold(2)
    scores = cross_val_score(
        small(), paths, labels, groups=np.arange(len(paths)), cv=folds, error_score="raise"
    )
    assert scores.shape == (2,)
    search = GridSearchCV(small(), {"hidden_units": [4, 8]}, cv=2, error_score="raise")
    search.fit(paths, labels)
    assert search.best_params_["hidden_units"] in {4, 8}
    assert search.predict(paths[:2]).shape == (2,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"learning_rate": 0.0}, {"batch_size": 0}, {"threshold": 1.5},
        {"validation_fraction": 0.0}, {"n_variants": 0}, {"patience": 0}, {"focal_gamma": -1.0},
        {"epochs": 1.5}, {"epochs": "3"}, {"batch_size": 2.5}, {"hidden_units": True},
        {"learning_rate": float("inf")}, {"learning_rate": float("nan")}, {"threshold": None},
        {"seed": None}, {"seed": 2**32}, {"finetune_layers": "a"}, {"cache": 3}, {"weights": 3},
    ],
)  # fmt: skip
def test_parameters_out_of_range_are_named(tiny, blob_images, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        small(**wrong).fit(*blob_images)


def test_labels_must_be_there_and_fit(tiny, blob_images):
    images, labels = blob_images
    with pytest.raises(DataError, match="without labels"):
        small().fit(images)
    with pytest.raises(DataError, match="23 labels for 24 images"):
        small().fit(images, labels[:-1])
    with pytest.raises(DataError, match="two classes"):
        small().fit(images, ["tumor"] * 24)
    for missing in (None, np.nan, pd.NA):
        with pytest.raises(DataError, match=r"y\[3\].*missing"):
            small().fit(images, [*labels[:3], missing, *labels[4:]])
    with pytest.raises(ParameterError, match="groups must have 24 entries"):
        small().fit(images, labels, groups=[1, 2, 3])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(fitted, value):
    images = np.full((1, 64, 64), 0.5)
    images[0, 3, 3] = value
    with pytest.raises(ImageError, match=r"X\[0\]"):
        fitted.predict(images)


def test_before_fit_there_is_one_clear_error(blob_images):
    for ask in ("predict", "predict_proba", "assess", "explain", "prepare"):
        with pytest.raises(NotFittedError, match="from_pretrained"):
            getattr(TumorClassifier(), ask)(blob_images[0])


def test_heatmaps_take_the_strides_that_the_backbone_has(fitted, blob_images):
    # Its layers have strides 4 and 16: of 8, 16 and 32 one is there.
    found = fitted.explain(blob_images[0][-1:])[0]
    wanted = fitted.explain(blob_images[0][-1:], method="layer_cam", strides=(16,))[0]
    assert found.method == "layer_cam"
    np.testing.assert_array_equal(found.values, wanted.values)
    # A layer of one's own takes their place.
    own = fitted.explain(blob_images[0][-1:], layer="first")[0]
    wanted = fitted.explain(blob_images[0][-1:], method="layer_cam", layer="first")[0]
    np.testing.assert_array_equal(own.values, wanted.values)


def test_efficientnet_is_trained_explained_and_reloaded(tmp_path):
    phantoms = make_phantoms(16, size=64, seed=2)
    clf = TumorClassifier(
        "EfficientNetB0",
        weights=None,
        input_size=64,
        epochs=1,
        finetune_epochs=1,
        n_variants=1,
        hidden_units=8,
    )
    labels = [str(label) for label in phantoms.labels]
    clf.fit(phantoms.images, labels, groups=np.arange(16))
    before = clf.predict_proba(phantoms.images)
    assert clf.history_["stage"] == ["head", "finetune"]
    heatmap = clf.explain(phantoms.images[:1])[0]
    assert heatmap.values.shape == (64, 64)
    assert np.isfinite(heatmap.values).all()
    clf.save(tmp_path / "model")
    again = TumorClassifier.load(tmp_path / "model")
    np.testing.assert_allclose(again.predict_proba(phantoms.images), before, atol=1e-6)
