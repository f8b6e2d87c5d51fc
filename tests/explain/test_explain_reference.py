"""Against pytorch-grad-cam on the same weights; benchmarks/reference_cams.py made the values."""

import json
from pathlib import Path

import numpy as np
import pytest

from mri_tumor.explain import METHODS
from mri_tumor.explain.maps import enlarge

REFERENCE = json.loads((Path(__file__).parent / "reference_cams.json").read_text("utf-8"))
TARGET = 2


def wave(*shape, phase):
    return (0.4 * np.sin(1.7 * np.arange(np.prod(shape)) + phase)).reshape(shape)


@pytest.fixture(scope="module")
def image():
    return 100 * (1 + np.sin(0.37 * np.arange(12 * 12 * 3).reshape(1, 12, 12, 3) ** 1.2))


@pytest.fixture(scope="module")
def model(keras):
    convolution = {"kernel_size": 3, "padding": "same", "activation": "relu"}
    layers = [
        keras.Input((12, 12, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, **convolution, name="first"),
        keras.layers.AveragePooling2D(2),
        keras.layers.Conv2D(6, **convolution, name="second"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    model = keras.Sequential(layers)
    model.set_weights(
        [
            wave(3, 3, 3, 4, phase=0.0),
            wave(4, phase=3.0),
            wave(3, 3, 4, 6, phase=1.0),
            wave(6, phase=4.0),
            wave(6, 6, 6, 3, phase=2.0).reshape(-1, 3),
            np.zeros(3),
        ]
    )
    return model


def test_the_networks_are_the_same(model, image):
    expected = np.exp(REFERENCE["logits"]) / np.exp(REFERENCE["logits"]).sum()
    np.testing.assert_allclose(model.predict(image, verbose=0)[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("theirs", "ours", "options"),
    [
        ("GradCAM", "grad_cam", {}),
        ("GradCAMPlusPlus", "grad_cam_plus_plus", {}),
        ("HiResCAM", "hires_cam", {}),
        ("LayerCAM", "layer_cam", {}),
        ("ScoreCAM", "score_cam", {"layer": "first", "channels": None}),
        ("saliency", "saliency", {}),
    ],
)
def test_the_maps_are_the_same(model, image, theirs, ours, options):
    expected = np.array(REFERENCE["maps"][theirs])
    assert (expected > 0).mean() > 0.2
    expected = enlarge(expected[None], (12, 12))[0]
    found = METHODS[ours](model, image, target=TARGET, **options)[0]
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-4)
