"""What is shared among devices is what one device would do, in this process."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import ParameterError
from mri_tumor.training.parallel import SharedDropout, SharedTrainer, device_precision
from mri_tumor.training.workers import open_workers


@pytest.fixture(scope="module")
def mirrored():
    return open_workers("mirrored")


def test_shared_dropout_drops_what_keras_does(mirrored):
    values = np.ones((6, 5), np.float32)
    plain = keras.layers.Dropout(0.4, seed=7)
    with mirrored.strategy.scope():
        shared = SharedDropout(0.4, seed=7)
        shared(values)
    for _ in range(3):
        drop = tf.function(lambda: shared(values, training=True))
        np.testing.assert_array_equal(mirrored.strategy.run(drop), plain(values, training=True))
        shared.advance()
    np.testing.assert_array_equal(shared(values, training=False), values)


def small_model():
    keras.utils.set_random_seed(0)
    image = keras.Input((4,))
    values = keras.layers.Dense(8, activation="relu")(image)
    values = keras.layers.Dropout(0.5)(values)
    values = keras.layers.Dense(3, activation="softmax", name="probabilities")(values)
    return keras.Model(image, values)


def test_what_learns_is_copied_and_given_back(mirrored):
    model = small_model()
    model.layers[1].trainable = False
    trainer = SharedTrainer(mirrored, np.zeros((2, 3), np.float32), np.arange(2))
    copy = trainer.adopt(model)
    assert isinstance(copy.layers[2], SharedDropout)
    assert [one.trainable for one in copy.layers] == [one.trainable for one in model.layers]
    for one, other in zip(copy.variables, model.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
        one.assign(one.numpy() + 1)
    trainer.give_back(copy, model)
    np.testing.assert_array_equal(copy.get_weights()[0], model.get_weights()[0])


def test_mixed_precision_keeps_weights_and_probabilities_exact(mirrored):
    model = small_model()
    targets = np.eye(3, dtype=np.float32)
    trainer = SharedTrainer(mirrored, targets, np.arange(3), precision="mixed_bfloat16")
    copy = trainer.adopt(model)
    assert [one.compute_dtype for one in copy.layers[1:]] == ["bfloat16", "bfloat16", "float32"]
    assert {one.dtype for one in copy.trainable_variables} == {"float32"}
    values = np.random.default_rng(0).normal(size=(3, 4)).astype("f")
    # Eight bits of fraction: one part in 256 for each product.
    np.testing.assert_allclose(copy(values), model(values), atol=0.02)


def test_no_graphics_processor_no_mixed_precision(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind: [])
    assert device_precision() is None


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [([(9, 0)], "mixed_bfloat16"), ([(8, 0), (8, 6)], "mixed_bfloat16"), ([(9, 0), (7, 5)], None)],
)
def test_mixed_precision_is_used_where_all_devices_have_it(monkeypatch, capabilities, policy):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind: capabilities)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda one: {"compute_capability": one}
    )
    assert device_precision() == policy


def test_a_classifier_learns_by_a_strategy(tiny, blob_images):
    images, labels = blob_images
    parameters = {
        "weights": None, "dropout": 0.0, "epochs": 40, "learning_rate": 0.01, "augmentation": None,
        "seed": 1, "validation_fraction": 0.25, "strategy": "mirrored",
    }  # fmt: skip
    made = TumorClassifier("tiny", **parameters).fit(images, labels)
    again = TumorClassifier("tiny", **parameters).fit(images, labels)
    assert made.score(images, labels) > 0.8
    assert made.history_["loss"][-1] < made.history_["loss"][0]
    np.testing.assert_allclose(made.predict_proba(images), again.predict_proba(images), atol=1e-5)


def test_unknown_strategies_are_refused_by_name(tiny, blob_images):
    with pytest.raises(ParameterError, match="strategy: must be 'mirrored'"):
        TumorClassifier("tiny", weights=None, strategy="tpu").fit(*blob_images)
