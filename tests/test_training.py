"""Targets, losses, variants, and the two ways to batches."""

import math

import keras
import numpy as np
import pytest
from drawing import blobs

from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import DataError, ImageError, ParameterError
from mri_tumor.images.collection import as_collection
from mri_tumor.images.preprocessing import Preprocessing, preprocess
from mri_tumor.labels import FOUR
from mri_tumor.training.augmentation import Affine, Variants, affine, get_augmentation
from mri_tumor.training.features import FeatureBatches, Features
from mri_tumor.training.judging import judge_outputs
from mri_tumor.training.loop import BestEpoch
from mri_tumor.training.losses import MarginalCrossentropy, allowed_accuracy
from mri_tumor.training.pipeline import image_dataset
from mri_tumor.training.targets import (
    cut_validation,
    encode,
    find_classes,
    image_weights,
    near_duplicate_groups,
)

# -- targets --------------------------------------------------------------------------------


def test_tumor_of_unknown_kind_allows_every_tumor_class():
    rows = encode(["glioma", "notumor", "tumor"], FOUR, "notumor")
    assert rows.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [1, 1, 0, 1]]


def test_two_classes_need_one_column():
    assert encode(["notumor", "tumor"], ("notumor", "tumor"), "notumor").tolist() == [[0], [1]]


def test_a_label_that_the_model_does_not_know_is_named():
    with pytest.raises(DataError, match="'metastasis'"):
        encode(["metastasis"], FOUR, "notumor")


@pytest.mark.parametrize(
    ("labels", "negative", "expected"),
    [
        (["tumor", "notumor"], None, (("notumor", "tumor"), "notumor")),
        (["yes", "no"], None, (("no", "yes"), "no")),
        (["1", "0"], None, (("0", "1"), "0")),
        (["a", "b", "c"], "b", (("a", "b", "c"), "b")),
        (["z", "a"], "z", (("z", "a"), "z")),
        (["glioma", "notumor", "pituitary", "tumor"], None, (("glioma", "notumor", "pituitary"), "notumor")),
    ],
)  # fmt: skip
def test_classes_and_the_one_without_a_tumor(labels, negative, expected):
    assert find_classes(labels, negative) == expected


def test_one_class_is_not_enough_and_an_unclear_negative_is_asked_for():
    with pytest.raises(DataError, match="two classes"):
        find_classes(["glioma", "glioma"], None)
    with pytest.raises(ParameterError, match=r"negative_class.*\['a', 'b'\]"):
        find_classes(["a", "b"], None)
    with pytest.raises(ParameterError, match="'c'"):
        find_classes(["a", "b"], "c")


def test_weights_may_be_numbers_of_any_kind():
    weights = {"a": np.float32(2), "b": np.int64(3)}
    assert image_weights(["a", "b", "a"], weights).tolist() == [2, 3, 2]


def test_balanced_weights_make_every_label_count_the_same():
    labels = ["a"] * 6 + ["b"] * 2
    weights = image_weights(labels, "balanced")
    assert weights[:6].sum() == pytest.approx(weights[6:].sum()) == pytest.approx(4)
    assert image_weights(labels, {"a": 2.0}).tolist() == [2.0] * 6 + [1.0] * 2
    for wrong in ("even", {"c": 1.0}, {"a": -1.0}, {"a": math.nan}):
        with pytest.raises(ParameterError, match="class_weight"):
            image_weights(labels, wrong)


def test_the_validation_part_tears_no_group_apart():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 120)
    labels = [FOUR[group % 4] for group in groups]
    training, validation = cut_validation(labels, groups, fraction=0.15, seed=0)
    assert not set(groups[training]) & set(groups[validation])
    assert sorted([*training, *validation]) == list(range(120))
    assert {labels[i] for i in validation} == set(FOUR)


def test_a_class_with_one_group_cannot_be_validated():
    with pytest.raises(DataError, match="'b' has a single"):
        cut_validation(["a", "a", "b", "b"], np.array([0, 1, 2, 2]), fraction=0.2, seed=0)


def test_mirrored_copies_are_one_group():
    images, _ = blobs(4)
    copies = np.concatenate([images[:3], images[:3, :, ::-1], np.rot90(images[:3], axes=(1, 2))])
    groups = near_duplicate_groups(as_collection(copies))
    assert groups[0] == groups[3] == groups[6]
    assert groups[1] == groups[4] == groups[7]


# -- loss -----------------------------------------------------------------------------------


def test_loss_by_hand():
    truth = np.array([[1, 0, 0, 0], [1, 1, 0, 1]], dtype="float32")
    answer = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.1, 0.6, 0.1]], dtype="float32")
    plain = MarginalCrossentropy(reduction=None)(truth, answer)
    assert plain.numpy() == pytest.approx([-math.log(0.7), -math.log(0.4)], rel=1e-5)
    focal = MarginalCrossentropy(2.0, reduction=None)(truth, answer)
    assert focal.numpy() == pytest.approx(
        [-(0.3**2) * math.log(0.7), -(0.6**2) * math.log(0.4)], rel=1e-5
    )


def test_loss_of_one_unit_is_binary_cross_entropy():
    truth = np.array([[1], [0], [1]], dtype="float32")
    answer = np.array([[0.9], [0.2], [0.3]], dtype="float32")
    ours = MarginalCrossentropy()(truth, answer)
    theirs = keras.losses.BinaryCrossentropy()(truth, answer)
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)


def test_loss_of_known_classes_is_categorical_cross_entropy():
    rng = np.random.default_rng(0)
    answer = rng.dirichlet(np.ones(4), 10).astype("float32")
    truth = np.eye(4, dtype="float32")[rng.integers(0, 4, 10)]
    theirs = keras.losses.CategoricalCrossentropy()(truth, answer)
    assert float(MarginalCrossentropy()(truth, answer)) == pytest.approx(float(theirs), rel=1e-5)


def test_accuracy_counts_any_allowed_class():
    truth = np.array([[1, 1, 0, 1], [0, 0, 1, 0]], dtype="float32")
    answer = np.array([[0.1, 0.1, 0.1, 0.7], [0.5, 0.1, 0.3, 0.1]], dtype="float32")
    assert allowed_accuracy(truth, answer).numpy().tolist() == [1, 0]
    binary = allowed_accuracy(np.array([[1.0], [0.0]]), np.array([[0.4], [0.4]]))
    assert binary.numpy().tolist() == [0, 1]


# -- variants -------------------------------------------------------------------------------


def test_a_known_map_moves_pixels_where_it_should():
    image = np.zeros((21, 21), dtype=np.uint8)
    image[5, 15] = 200
    np.testing.assert_array_equal(affine(image, scale=(-1, 1)), image[:, ::-1])
    np.testing.assert_array_equal(affine(image, angle=math.pi / 2), np.rot90(image))
    moved = affine(image, shift=(2 / 21, 3 / 21))
    assert np.unravel_index(moved.argmax(), moved.shape) == (8, 17)


def test_variants_depend_on_image_and_seed_alone():
    images, _ = blobs(4)
    settings = Preprocessing(size=64)
    variants = Variants(settings, get_augmentation("standard"), seed=3)
    first, _ = variants(images[5], 5, 2)
    np.testing.assert_array_equal(first, variants(images[5], 5, 2)[0])
    assert (first != variants(images[5], 5, 3)[0]).any()
    assert (
        first != Variants(settings, get_augmentation("standard"), seed=4)(images[5], 5, 2)[0]
    ).any()
    np.testing.assert_array_equal(variants(images[5], 5, 0)[0], preprocess(images[5], settings)[0])


def test_changes_stay_within_their_limits():
    image = np.zeros((101, 101), dtype=np.uint8)
    image[40:61, 40:61] = 255
    change = Affine(rotation=0, shift=0.05, shear=0, zoom=0.1, flip=False)
    rng = np.random.default_rng(0)
    for _ in range(30):
        rows, columns = np.nonzero(change(image, Preprocessing(), rng) > 127)
        assert abs(rows.mean() - 50) <= 5.6
        assert abs(columns.mean() - 50) <= 5.6
        assert 18 <= np.ptp(rows) + 1 <= 24


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ParameterError, match="'strong'.*standard"):
        get_augmentation("strong")


# -- batches --------------------------------------------------------------------------------


def test_batches_pair_every_variant_with_its_image_once_an_epoch():
    n, variants = 7, 3
    rows = np.tile(np.arange(n), variants)[:, None]
    features = Features((rows.astype(np.float16),), n)
    targets = np.arange(n, dtype="float32")[:, None]
    batches = FeatureBatches(features, targets, targets[:, 0], batch_size=4, seed=0)
    seen = []
    for epoch in range(2):
        batches.start_epoch(epoch)
        parts = [batches[i] for i in range(len(batches))]
        for values, truth, weights in parts:
            np.testing.assert_array_equal(values, truth)
            np.testing.assert_array_equal(truth[:, 0], weights)
        seen.append(np.concatenate([values[:, 0] for values, _, _ in parts]))
        assert sorted(seen[-1]) == sorted(rows[:, 0])
    assert seen[0].tolist() != seen[1].tolist()


def test_images_stream_from_disk_in_the_order_asked_for(blob_folder):
    files = sorted(blob_folder.rglob("*.png"))
    variants = Variants(Preprocessing(size=32), None)
    stream = image_dataset(as_collection(files), variants, order=[3, 0])
    got = [(int(index), values.numpy()) for index, values in stream]
    assert [index for index, _ in got] == [3, 0]
    np.testing.assert_array_equal(got[0][1], variants(as_collection(files).read(3), 3)[0])


def test_fresh_batches_report_an_image_that_vanishes(blob_folder, tiny):
    files = sorted(str(path) for path in blob_folder.rglob("*.png"))
    labels = [path.split("/")[-2] for path in files]
    clf = TumorClassifier("tiny", weights=None, epochs=1, cache=False, n_variants=1)
    groups = np.arange(len(files))
    (blob_folder / "yes" / files[-1].split("/")[-1]).write_bytes(b"gone")
    with pytest.raises(ImageError, match=files[-1].split("/")[-1]):
        clf.fit(files, labels, groups=groups)


def test_overconfidence_is_not_held_against_an_epoch():
    targets = np.array([[1.0, 0.0]] * 9 + [[0.0, 1.0]])
    # Nine of ten are right, at 99% and at 90%: both tell the classes apart alike.
    sure = judge_outputs(np.array([[0.99, 0.01]] * 10), targets)
    fair = judge_outputs(np.array([[0.9, 0.1]] * 10), targets)
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert sure["val_accuracy"] == fair["val_accuracy"] == 0.9
    assert fair["val_loss"] == pytest.approx(entropy)
    assert sure["val_loss"] == pytest.approx(-(0.9 * np.log(0.99) + 0.1 * np.log(0.01)))
    assert sure["val_calibrated_loss"] == pytest.approx(entropy, rel=1e-3)
    single = judge_outputs(np.array([[0.1]] * 10), 1 - targets[:, :1])
    assert single == pytest.approx(fair)


def test_a_tumor_of_unknown_subtype_is_judged_as_tumor_or_not():
    outputs = np.array([[0.2, 0.5, 0.3]])
    judged = judge_outputs(outputs, np.array([[1.0, 0.0, 1.0]]))
    assert judged["val_loss"] == pytest.approx(-np.log(0.5))
    assert judged["val_accuracy"] == 0.0


def test_the_best_epoch_is_kept_and_patience_ends_training():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    watch = BestEpoch(patience=2, best=10.0)
    watch.set_model(model)
    model.stop_training = False
    watch.on_train_begin()
    ended = []
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 2.0, 0.5]):
        if model.stop_training:
            break
        model.set_weights([np.array([[float(epoch)]])])
        watch.on_epoch_end(epoch, {"val_calibrated_loss": loss})
        ended.append(epoch)
    watch.on_train_end()
    assert ended == [0, 1, 2, 3]
    assert watch.best_epoch == 1
    assert model.get_weights()[0].item() == 1.0


def test_a_stage_can_end_with_its_last_epoch():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    watch = BestEpoch(patience=1, best=0.1, last=True)
    watch.set_model(model)
    model.stop_training = False
    watch.on_train_begin()
    for epoch, loss in enumerate([3.0, 1.0, 2.0]):
        model.set_weights([np.array([[float(epoch)]])])
        watch.on_epoch_end(epoch, {"val_calibrated_loss": loss})
        assert not model.stop_training
    watch.on_train_end()
    assert model.get_weights()[0].item() == 2.0


def test_epochs_that_make_it_worse_leave_the_model_as_it_was():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[7.0]])])
    watch = BestEpoch(patience=2, best=0.1)
    watch.set_model(model)
    watch.on_train_begin()
    model.set_weights([np.array([[8.0]])])
    watch.on_epoch_end(0, {"val_calibrated_loss": 0.2})
    watch.on_train_end()
    assert model.get_weights()[0].item() == 7.0


def test_smoothing_spreads_a_share_of_the_target():
    rows = np.array([[0.7, 0.2, 0.1]], np.float32)
    target = np.array([[1.0, 0.0, 0.0]], np.float32)
    plain, spread = -np.log(0.7), -(np.log(0.7) + np.log(0.2) + np.log(0.1)) / 3
    loss = np.asarray(MarginalCrossentropy(smoothing=0.1)(target, rows))
    assert loss == pytest.approx(0.9 * plain + 0.1 * spread, rel=1e-5)
    single = np.asarray(
        MarginalCrossentropy(smoothing=0.1)(np.ones((1, 1), "f"), np.full((1, 1), 0.8, "f"))
    )
    halves = -(np.log(0.8) + np.log(0.2)) / 2
    assert single == pytest.approx(-0.9 * np.log(0.8) + 0.1 * halves, rel=1e-5)
