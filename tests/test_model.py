"""The graph, and the cut between what is frozen and what learns."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from mri_tumor.backbones import BackboneSpec, get_backbone
from mri_tumor.errors import BackboneError, ParameterError, WeightsError
from mri_tumor.model import build_model, find_backbone, open_layers, seeded, split_model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 3)).astype("float32")


def test_the_head_is_the_one_that_is_documented(tiny):
    model = build_model(tiny, n_classes=4, weights=None)
    names = [layer.name for layer in model.layers]
    assert names == [
        "image", "scaling", "tiny", "feature_map", "pool", "hidden", "dropout", "probabilities",
    ]  # fmt: skip
    assert model.get_layer("hidden").units == 128
    assert model.get_layer("dropout").rate == 0.5
    assert model.output_shape == (None, 4)
    assert build_model(tiny, n_classes=2, weights=None).output_shape == (None, 1)


def test_mobilenet_has_the_documented_number_of_parameters():
    model = build_model(get_backbone("MobileNetV2"), n_classes=2, weights=None, input_size=96)
    assert model.count_params() == 2_257_984 + 1280 * 128 + 128 + 128 + 1


def test_the_same_seed_draws_the_same_weights_and_leaves_numpy_alone(tiny):
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.rand()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    first = build_model(tiny, n_classes=3, weights=None, seed=3).get_weights()
    assert np.random.rand() == expected  # noqa: NPY002
    second = build_model(tiny, n_classes=3, weights=None, seed=3).get_weights()
    other = build_model(tiny, n_classes=3, weights=None, seed=4).get_weights()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("n_open", [0, 1, 2])
def test_the_two_parts_of_a_cut_model_give_its_answers(tiny, images, n_open):
    model = build_model(tiny, n_classes=4, weights=None)
    open_layers(model, n_open)
    split = split_model(model)
    activations = split.frozen(images, training=False)
    np.testing.assert_allclose(
        split.open(activations, training=False), model(images, training=False), atol=1e-6
    )
    assert len(split.open.trainable_weights) == len(model.trainable_weights)


def test_the_cut_shares_its_layers_so_that_learning_reaches_the_model(tiny, images):
    model = build_model(tiny, n_classes=4, weights=None)
    open_layers(model, 1)
    split = split_model(model)
    before = model(images, training=False).numpy()
    split.open.compile("sgd", "categorical_crossentropy")
    split.open.fit(split.frozen(images), np.eye(4)[:3], verbose=0)
    assert np.abs(model(images, training=False).numpy() - before).max() > 1e-6


def test_several_tensors_may_cross_the_cut():
    image = keras.Input((64, 64, 3))
    first = keras.layers.Conv2D(4, 3, strides=8, name="early")(image)
    second = keras.layers.Conv2D(4, 3, padding="same", name="middle")(first)
    third = keras.layers.Conv2D(4, 3, padding="same", name="late")(second)
    backbone = keras.Model(image, keras.layers.Add(name="add")([third, first]), name="skip")
    spec = BackboneSpec(name="skip", builder=lambda *_: backbone, scaling=list, weights=())
    model = build_model(spec, n_classes=3, weights=None, input_size=64)
    open_layers(model, 2)
    split = split_model(model)
    assert split.cut == "middle+early"
    values = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    np.testing.assert_allclose(split.open(split.frozen(values)), model(values), atol=1e-5)


def test_with_everything_open_there_is_nothing_to_compute_once(tiny):
    model = build_model(tiny, n_classes=4, weights=None)
    open_layers(model, 99)
    assert split_model(model) is None


def test_opening_counts_layers_from_the_end(tiny):
    model = build_model(tiny, n_classes=4, weights=None)
    open_layers(model, 1)
    flags = {layer.name: layer.trainable for layer in find_backbone(model).layers}
    assert flags["second"]
    assert not flags["norm"]
    assert not flags["first"]
    with pytest.raises(ParameterError, match="-1"):
        open_layers(model, -1)


def test_batch_normalisation_stays_as_it_was_in_training(tiny, images):
    model = build_model(tiny, n_classes=4, weights=None)
    open_layers(model, 99)
    backbone = find_backbone(model)
    norm, first = (
        backbone.get_layer("norm").get_weights(),
        backbone.get_layer("first").get_weights(),
    )
    model.compile("sgd", "categorical_crossentropy")
    model.fit(images, np.eye(4)[:3], verbose=0)
    for old, new in zip(norm, backbone.get_layer("norm").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert (first[0] != backbone.get_layer("first").get_weights()[0]).any()


def test_a_model_answers_the_same_before_and_during_training(tiny, images):
    # What a batch holds must not change an image's answer, in training mode neither.
    model = build_model(tiny, n_classes=4, weights=None, dropout=0.0)
    open_layers(model, 99)
    np.testing.assert_allclose(
        model(images, training=True), model(images, training=False), atol=1e-6
    )


def test_normalisation_within_a_block_stays_as_it_was_too():
    image = keras.Input((64, 64, 3))
    block = keras.Sequential(
        [keras.layers.Conv2D(4, 3, name="inner"), keras.layers.BatchNormalization(name="norm")],
        name="block",
    )
    backbone = keras.Model(image, block(image), name="nested")
    spec = BackboneSpec(name="nested", builder=lambda *_: backbone, scaling=list, weights=())
    model = build_model(spec, n_classes=3, weights=None, input_size=64)
    open_layers(model, 1)
    flags = {layer.name: layer.trainable for layer in block.layers}
    assert flags == {"inner": True, "norm": False}
    open_layers(model, 0)
    assert not block.trainable_weights


def test_any_name_of_a_backbone_will_do_for_tensorflow(tiny):
    spec = replace(tiny, name="Café net/2:alpha=0.5")
    model = build_model(spec, n_classes=2, weights=None)
    assert model.name == "mri_tumor_caf_net_2_alpha_0_5"
    model.compile("sgd", "binary_crossentropy")
    assert model.predict(np.zeros((1, 64, 64, 3)), verbose=0).shape == (1, 1)


@pytest.mark.parametrize("wrong", [{"n_classes": 1}, {"dropout": 1.0}, {"hidden_units": 0}])
def test_numbers_out_of_range_are_named(tiny, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        build_model(tiny, **{"n_classes": 4, "weights": None, **wrong})


def test_weights_that_do_not_exist_say_what_does(tiny):
    with pytest.raises(WeightsError, match=r"no weights 'imagenet'.*weights file"):
        build_model(tiny, n_classes=4, weights="imagenet")


def test_a_weights_file_is_loaded_and_one_of_another_network_is_refused(tiny, tmp_path):
    with seeded(9):
        backbone = tiny.builder((64, 64, 3), None)
    backbone.save_weights(tmp_path / "tiny.weights.h5")
    model = build_model(tiny, n_classes=4, weights=tmp_path / "tiny.weights.h5")
    np.testing.assert_array_equal(find_backbone(model).get_weights()[0], backbone.get_weights()[0])
    (tmp_path / "other.weights.h5").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"other\.weights\.h5.*does not fit"):
        build_model(tiny, n_classes=4, weights=tmp_path / "other.weights.h5")


def test_weights_that_need_a_network_say_so_without_one(monkeypatch):
    def offline(*_arguments, **_options):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(WeightsError, match="could not be downloaded.*'brain-mri'"):
        build_model(get_backbone("MobileNetV2"), n_classes=4, weights="imagenet")


def test_a_backbone_must_end_in_a_feature_map():
    def build(shape, _weights):
        image = keras.Input(shape)
        return keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))

    spec = BackboneSpec(name="flat", builder=build, scaling=list, weights=(), package="other")
    with pytest.raises(BackboneError, match="'flat'.*'other'.*feature map"):
        build_model(spec, n_classes=4, weights=None)
