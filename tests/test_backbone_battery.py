"""One battery over every backbone that is registered, small ones always, big ones if asked."""

import importlib
import json

import keras
import numpy as np
import pytest

from mri_tumor.backbones import get_backbone, list_backbones
from mri_tumor.bundle import load_keras_model
from mri_tumor.bundle_writing import write_bundle
from mri_tumor.explain import grad_cam
from mri_tumor.framework import foreign_classes
from mri_tumor.model import build_model, find_backbone, open_layers, split_model

QUICK = {"tiny", "MobileNetV2", "MobileNetV3Small", "EfficientNetB0"}
OURS = [name for name, package in list_backbones().items() if package == "mri-tumor"]
EVERY = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ["tiny", *OURS]
]
# Small enough to be quick, large enough for Xception (71) and for a map of 3 by 3.
SIZE = 96

# Where fine-tuning begins, as the comments beside the specs say.
FIRST_OPEN = {
    "MobileNetV2": "block_13_expand",
    "MobileNetV3Small": "expanded_conv_10_expand",
    "MobileNetV3Large": "expanded_conv_14_expand",
    "EfficientNetB0": "block7a_expand_conv",
    "EfficientNetB1": "block7b_expand_conv",
    "EfficientNetB2": "block7b_expand_conv",
    "EfficientNetB3": "block7b_expand_conv",
    "EfficientNetB4": "block7b_expand_conv",
    "EfficientNetB5": "block7c_expand_conv",
    "EfficientNetB6": "block7c_expand_conv",
    "EfficientNetB7": "block7d_expand_conv",
    "EfficientNetV2B0": "block6h_expand_conv",
    "EfficientNetV2B1": "block6i_expand_conv",
    "EfficientNetV2B2": "block6j_expand_conv",
    "EfficientNetV2B3": "block6l_expand_conv",
    "EfficientNetV2S": "block6o_expand_conv",
    "ResNet50V2": "conv5_block3_preact_bn",
    "DenseNet121": "conv5_block13_0_bn",
    "ConvNeXtTiny": "convnext_tiny_stage_3_block_2_depthwise_conv",
    "Xception": "block14_sepconv1",
    "tiny": "second",
}
# The module of `keras.applications` whose `preprocess_input` the weights were trained with.
MODULES = {
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3": "mobilenet_v3",
    "EfficientNetB": "efficientnet",
    "EfficientNetV2": "efficientnet_v2",
    "ResNet50V2": "resnet_v2",
    "DenseNet121": "densenet",
    "ConvNeXtTiny": "convnext",
    "Xception": "xception",
}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (2, SIZE, SIZE, 3)).astype("float32")


def put_aside(model, folder):
    content = {"classes": [], "negative_class": "", "threshold": 0.5}
    return write_bundle(folder, model, {**content, "preprocessing": {}, "backbone": {}})


def check_all(model, images, folder, *, n_open):
    """Save, load, explain and cut a model, and compare each with the model itself."""
    expected = model(images, training=False).numpy()
    assert np.isfinite(expected).all()
    again = load_keras_model(put_aside(model, folder))
    np.testing.assert_allclose(again(images, training=False), expected, atol=1e-6)

    # Nothing may speak for one class in a network that learnt nothing, but not for none.
    for target in range(4):
        maps = grad_cam(again, images, target=target)
        assert maps.shape == (len(images), SIZE, SIZE)
        assert 0 <= maps.min() <= maps.max() <= 1
        if maps.std() > 0:
            break
    assert maps.std() > 0

    open_layers(model, n_open)
    split = split_model(model)
    # What is cached between the parts is one block's input, and what its first convolution sees
    # where that is normalised before it; not a network's inside.
    assert len(split.frozen.outputs) <= 2
    np.testing.assert_allclose(
        split.open(split.frozen(images, training=False), training=False), expected, atol=1e-5
    )


@pytest.mark.parametrize("name", EVERY)
def test_a_backbone_is_built_saved_loaded_explained_and_cut(name, tiny, images, tmp_path):
    spec = get_backbone(name)
    model = build_model(spec, n_classes=4, weights=None, input_size=SIZE)
    n_images, rows, columns, channels = model.get_layer("feature_map").output.shape
    assert n_images is None
    assert rows == columns >= 2
    assert channels >= 16
    assert not foreign_classes(json.loads(model.to_json()))
    check_all(model, images, tmp_path / "model", n_open=spec.finetune_layers)
    backbone = find_backbone(model)
    assert backbone.layers[-spec.finetune_layers].name == FIRST_OPEN[name]
    n_learning = sum(int(np.prod(w.shape)) for w in backbone.trainable_weights)
    # A part of the network, or opening it would be training it anew.
    assert 0 < n_learning < (1 if name == "tiny" else 0.8) * backbone.count_params()


@pytest.mark.parametrize("name", OURS)
def test_scaling_is_what_keras_trained_its_weights_with(name, images):
    values = images
    for layer in get_backbone(name).scaling():
        values = layer(values)
    module = next(MODULES[key] for key in MODULES if name.startswith(key))
    expected = importlib.import_module(f"keras.applications.{module}").preprocess_input(
        images.copy()
    )
    np.testing.assert_allclose(values, expected, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in OURS],
)
def test_the_input_size_is_the_one_of_keras_own_classifier(name):
    network = getattr(keras.applications, name)(weights=None)
    # None in MobileNetV3, whose classifier is one more convolution.
    assert network.input_shape[1] in {get_backbone(name).input_size, None}


@pytest.fixture
def imagenet(tmp_path, monkeypatch):
    """A file with the statistics that ImageNet's has, which Keras takes for its download."""
    from keras.src.applications import efficientnet

    network = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3)
    )
    norm = next(k for k in network.layers if isinstance(k, keras.layers.Normalization))
    # Deviations stand where variances should: see keras.src.applications.efficientnet.
    norm.set_weights([np.array(MEAN, "f"), np.array(STD, "f"), *norm.get_weights()[2:]])
    file = tmp_path / "efficientnetb0_notop.weights.h5"
    network.save_weights(file)
    monkeypatch.setattr(efficientnet.file_utils, "get_file", lambda *_, **__: str(file))
    return file


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def n_rescalings(model):
    return sum(isinstance(k, keras.layers.Rescaling) for k in find_backbone(model).layers)


def scaled(model, images):
    """Return what reaches the first convolution of an EfficientNet."""
    backbone = find_backbone(model)
    return keras.Model(backbone.input, backbone.get_layer("stem_conv_pad").input)(images).numpy()


def test_both_graphs_of_efficientnet_work(imagenet, images):
    # Keras adds a layer for weights="imagenet" only, by which the deviations count in full.
    spec = get_backbone("EfficientNetB0")
    plain, downloaded, filed = (
        build_model(spec, n_classes=4, weights=weights, input_size=SIZE)
        for weights in (None, "imagenet", imagenet)
    )
    assert [n_rescalings(model) for model in (plain, downloaded, filed)] == [1, 2, 1]
    standard = (images / 255 - MEAN) / STD
    np.testing.assert_allclose(scaled(plain, images), images / 255, atol=1e-5)
    np.testing.assert_allclose(scaled(downloaded, images), standard, atol=1e-5)
    np.testing.assert_allclose(scaled(filed, images), standard, atol=1e-5)
    np.testing.assert_allclose(filed(images), downloaded(images), atol=1e-6)


@pytest.mark.slow
def test_the_graph_of_a_download_is_saved_loaded_explained_and_cut(imagenet, images, tmp_path):
    spec = get_backbone("EfficientNetB0")
    downloaded = build_model(spec, n_classes=4, weights="imagenet", input_size=SIZE)
    check_all(downloaded, images, tmp_path / "downloaded", n_open=spec.finetune_layers)


def test_a_file_of_our_own_graph_keeps_its_scale(imagenet, images, tmp_path):
    spec = get_backbone("EfficientNetB0")
    first = build_model(spec, n_classes=4, weights=imagenet, input_size=SIZE)
    find_backbone(first).save_weights(tmp_path / "ours.weights.h5")
    second = build_model(spec, n_classes=4, weights=tmp_path / "ours.weights.h5", input_size=SIZE)
    np.testing.assert_allclose(scaled(second, images), scaled(first, images), atol=1e-6)


@pytest.mark.parametrize("alpha", [0.35, 1.4])
def test_the_width_of_mobilenet_is_an_option_of_its_name(alpha):
    spec = get_backbone(f"MobileNetV2:alpha={alpha}")
    model = build_model(spec, n_classes=2, weights=None, input_size=SIZE)
    # The last convolution has 1280 channels, and more for wider networks only.
    assert model.get_layer("feature_map").output.shape[-1] == {0.35: 1280, 1.4: 1792}[alpha]
    assert find_backbone(model).get_layer("Conv1").filters == {0.35: 16, 1.4: 48}[alpha]
