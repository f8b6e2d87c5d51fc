"""The frozen part gives what the model gives, whatever runs it."""

import keras
import numpy as np
import pytest

from mri_tumor.training import compiled


@pytest.fixture(scope="module")
def two_outputs():
    """A model with two outputs of the same shape, which an order by mistake would swap."""
    keras.utils.set_random_seed(2)
    image = keras.Input((16, 16, 3))
    first = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(image))
    second = keras.layers.Conv2D(4, 1)(first)
    return keras.Model(image, [second, first])


def test_litert_gives_what_the_model_gives(two_outputs):
    run = compiled.quick_function(two_outputs, n_rows=10**6)
    values = np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
    found, wanted = run(values), two_outputs.predict(values.astype(np.float32), verbose=0)
    assert len(found) == 2
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert not np.allclose(found[0], found[1])


def test_two_inputs_go_where_they_belong():
    """Inputs of the same shape, which an order by mistake would swap."""
    keras.utils.set_random_seed(3)
    inputs = [keras.Input((4, 4, 5), name=name) for name in ("second", "first")]
    model = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs[0] - 2 * inputs[1]))
    values = np.random.default_rng(1).normal(size=(2, 5, 4, 4, 5)).astype(np.float32)
    (found,) = compiled.quick_function(model, n_rows=10**6, probe=values)(*values)
    (twice,) = compiled.frozen_function(model)(*values)
    np.testing.assert_allclose(found, model.predict(list(values), verbose=0), atol=1e-5)
    np.testing.assert_allclose(found, twice, atol=1e-5)
    assert not np.allclose(found, compiled.frozen_function(model)(*values[::-1])[0])


@pytest.mark.parametrize(
    "broken",
    [
        lambda values: [np.zeros((len(values), 14, 14, 4), np.float32)] * 2,
        lambda values: [np.zeros((len(values), 14, 14, 5), np.float32)] * 2,
        lambda _: 1 / 0,
    ],
)
def test_a_network_that_gives_other_values_is_not_used(two_outputs, monkeypatch, broken):
    monkeypatch.setattr(compiled, "_litert_function", lambda _: broken)
    run = compiled.quick_function(two_outputs, n_rows=10**6)
    values = np.full((1, 16, 16, 3), 100, np.uint8)
    wanted = two_outputs.predict(values.astype(np.float32), verbose=0)
    np.testing.assert_allclose(run(values)[1], wanted[1], atol=1e-5)


def test_few_images_are_not_worth_converting(two_outputs, monkeypatch):
    monkeypatch.setattr(compiled, "_litert_function", lambda _: pytest.fail("it was converted"))
    compiled.quick_function(two_outputs, n_rows=10)
