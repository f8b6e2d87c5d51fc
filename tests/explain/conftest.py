"""Tiny classifiers with fixed weights, in every shape that Keras models come in."""

import numpy as np
import pytest

SIZE = 16


@pytest.fixture(scope="session")
def keras():
    return pytest.importorskip("keras")


def _parts(keras, n_classes, activation):
    """Return backbone layers and head layers, new ones at each call."""
    backbone = [
        keras.layers.Rescaling(1 / 255.0, name="scale"),
        keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv_a"),
        keras.layers.AveragePooling2D(2, name="pool_a"),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_b"),
        keras.layers.AveragePooling2D(2, name="pool_b"),
    ]
    units = 1 if activation == "sigmoid" else n_classes
    head = [
        keras.layers.GlobalAveragePooling2D(name="gap"),
        keras.layers.Dense(5, activation="relu", name="hidden"),
        keras.layers.Dropout(0.5, name="drop"),
        keras.layers.Dense(units, activation=activation, name="probabilities"),
    ]
    return backbone, head


def _chain(layers, tensor):
    for layer in layers:
        tensor = layer(tensor)
    return tensor


def _flat(keras, backbone, head):
    inputs = keras.Input((SIZE, SIZE, 3))
    return keras.Model(inputs, _chain(head, _chain(backbone, inputs)))


def _nested(keras, backbone, head):
    inner = keras.Input((SIZE, SIZE, 3))
    body = keras.Model(inner, _chain(backbone, inner), name="backbone")
    inputs = keras.Input((SIZE, SIZE, 3))
    features = keras.layers.Identity(name="feature_map")(body(inputs, training=False))
    return keras.Model(inputs, _chain(head, features))


def _twice_nested(keras, backbone, head):
    inner = keras.Input((SIZE, SIZE, 3))
    body = keras.Model(inner, _chain(backbone, inner), name="backbone")
    middle = keras.Input((SIZE, SIZE, 3))
    trunk = keras.Model(middle, body(middle), name="trunk")
    inputs = keras.Input((SIZE, SIZE, 3))
    top = keras.Sequential(head, name="top")
    return keras.Model(inputs, top(trunk(inputs)))


def _sequential(keras, backbone, head):
    return keras.Sequential([keras.Input((SIZE, SIZE, 3)), *backbone, *head])


def _sequential_in_sequential(keras, backbone, head):
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.Sequential(backbone, name="backbone"),
            keras.Sequential(head, name="top"),
        ]
    )


def _functional_in_sequential(keras, backbone, head):
    inner = keras.Input((SIZE, SIZE, 3))
    body = keras.Model(inner, _chain(backbone, inner), name="backbone")
    return keras.Sequential([body, *head])


SHAPES = {
    "flat": _flat,
    "nested": _nested,
    "twice_nested": _twice_nested,
    "sequential": _sequential,
    "sequential_in_sequential": _sequential_in_sequential,
    "functional_in_sequential": _functional_in_sequential,
}


@pytest.fixture(scope="session")
def build(keras):
    """Build ``build(shape, activation)``: the same weights whatever the shape."""
    made = {}

    def make(shape="nested", activation="softmax", n_classes=3):
        key = (shape, activation, n_classes)
        if key not in made:
            model = SHAPES[shape](keras, *_parts(keras, n_classes, activation))
            if not model.built:
                model.build((None, SIZE, SIZE, 3))
            rng = np.random.default_rng(7)
            # A mean above zero keeps the ReLUs alive, so that every class has some evidence.
            model.set_weights([rng.normal(0.1, 0.5, w.shape) for w in model.get_weights()])
            made[key] = model
        return made[key]

    return make


@pytest.fixture(scope="session")
def batch():
    """Five images of model input, uint8."""
    return np.random.default_rng(3).integers(0, 256, (5, SIZE, SIZE, 3)).astype(np.uint8)
