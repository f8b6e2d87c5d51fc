import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain import grad_cam, layer_cam, saliency
from mri_tumor.explain.engine import _ENGINES, engine_for
from mri_tumor.explain.graph import Graph
from mri_tumor.explain.heatmap import Heatmap

SHAPES = (
    "flat",
    "nested",
    "twice_nested",
    "sequential",
    "sequential_in_sequential",
    "functional_in_sequential",
)


@pytest.fixture(scope="module")
def pencil(keras):
    """Two channels x and max(2x - 3, 0) of a 2 x 2 image, averaged, with weights by hand."""

    def make(activation="softmax", kernel=((2.0, -1.0), (-1.0, 3.0)), separate=False):
        last = keras.layers.Dense(len(kernel[0]), activation=None if separate else activation)
        layers = [
            keras.Input((2, 2, 1)),
            keras.layers.Conv2D(2, 1, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            last,
        ]
        if separate:
            layers += [keras.layers.Activation(activation), keras.layers.Identity()]
        model = keras.Sequential(layers)
        model.layers[0].set_weights([np.array([[[[1.0, 2.0]]]]), np.array([0.0, -3.0])])
        last.set_weights([np.array(kernel), np.zeros(len(kernel[0]))])
        return model

    return make


IMAGE = np.array([[[[1.0], [2.0]], [[3.0], [4.0]]]])
# Channels [[1, 2], [3, 4]] and [[0, 1], [3, 5]]. The mean gradient of class 0 is (2, -1) / 4, so
# its map is [[0.5, 0.75], [0.75, 0.75]]; of class 1 it is (-1, 3) / 4, so its map is the positive
# part of [[-0.25, 0.25], [1.5, 2.75]].
CLASS_0 = np.array([[0.5, 0.75], [0.75, 0.75]]) / 0.75
CLASS_1 = np.array([[0.0, 0.25], [1.5, 2.75]]) / 2.75


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("activation", ["softmax", "linear", "sigmoid"])
def test_a_map_worked_out_by_hand(pencil, activation, separate):
    model = pencil(activation, separate=separate)
    np.testing.assert_allclose(grad_cam(model, IMAGE, target=0)[0], CLASS_0, atol=1e-6)
    np.testing.assert_allclose(grad_cam(model, IMAGE, target=1)[0], CLASS_1, atol=1e-6)


def test_one_sigmoid_unit_has_two_targets(pencil):
    model = pencil("sigmoid", kernel=((2.0,), (-1.0,)))
    np.testing.assert_allclose(grad_cam(model, IMAGE, target=1)[0], CLASS_0, atol=1e-6)
    # Of minus the logit, the terms are [[-0.5, -0.75], [-0.75, -0.75]]: nothing speaks for it.
    assert not grad_cam(model, IMAGE, target=0).any()
    model = pencil("sigmoid", kernel=((1.0,), (-3.0,)))
    np.testing.assert_allclose(grad_cam(model, IMAGE, target=0)[0], CLASS_1, atol=1e-6)


def test_a_sure_model_still_has_a_map(pencil):
    # The softmax is exactly 1 and 0 here, its gradient exactly 0; the logit's is not.
    model = pencil(kernel=((2e3, -1e3), (-1e3, 3e3)))
    assert model(IMAGE).numpy().max() == 1.0
    np.testing.assert_allclose(grad_cam(model, IMAGE, target=0)[0], CLASS_0, atol=1e-6)
    np.testing.assert_allclose(grad_cam(model, IMAGE, target=1)[0], CLASS_1, atol=1e-6)


def test_terms_that_cancel_give_no_evidence(pencil):
    # 0.3 x - 0.1 (3 x): zero but for rounding, which must not be blown up to a red map.
    model = pencil(kernel=((0.3, 0.0), (-0.1, 0.0)))
    model.layers[0].set_weights([np.array([[[[1.0, 3.0]]]]), np.zeros(2)])
    assert not grad_cam(model, IMAGE * 1.1, target=0).any()


def test_all_tumor_classes_together(pencil):
    kernel = ((2.0, -1.0, 0.0), (-1.0, 3.0, 0.0))
    model = pencil(kernel=kernel)
    pooled = np.array([2.5, 2.25])
    logits = pooled @ np.array(kernel)
    share = np.exp(logits[:2]) / np.exp(logits[:2]).sum()
    weights = np.array(kernel)[:, :2] @ share / 4
    channels = np.stack([IMAGE[0, ..., 0], np.maximum(2 * IMAGE[0, ..., 0] - 3, 0)], axis=-1)
    expected = np.maximum(channels @ weights, 0)
    found = grad_cam(model, IMAGE, target="tumor", negative_class=2)[0]
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-6)


def test_targets_by_name_index_and_none_agree(build, batch):
    model, names = build(), ("glioma", "notumor", "pituitary")
    likeliest = model.predict(batch, verbose=0).argmax(axis=1)
    maps = grad_cam(model, batch, class_names=names)
    np.testing.assert_allclose(maps, grad_cam(model, batch, target=likeliest), atol=1e-6)
    named = [names[index] for index in likeliest]
    np.testing.assert_allclose(
        maps, grad_cam(model, batch, target=named, class_names=names), atol=1e-6
    )
    tumor = np.where(
        model.predict(batch, verbose=0)[:, 0] > model.predict(batch, verbose=0)[:, 2], 0, 2
    )
    np.testing.assert_allclose(
        grad_cam(model, batch, target="likeliest_tumor", class_names=names),
        grad_cam(model, batch, target=tumor),
        atol=1e-6,
    )


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_model_gives_the_same_map(build, batch, shape, activation):
    reference = grad_cam(build("flat", activation), batch, target=1, layer="pool_b")
    assert reference.max() == 1
    found = grad_cam(build(shape, activation), batch, target=1)
    np.testing.assert_allclose(found, reference, atol=1e-5)


# Keras 3.15 reads its variables in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_reloaded_model_gives_the_same_map(keras, build, batch, shape, tmp_path):
    model = build(shape)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(grad_cam(again, batch), grad_cam(model, batch), atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_inner_layers_are_reached_by_name_path_and_object(build, batch, shape):
    model = build(shape)
    inner = grad_cam(model, batch, target=0, layer="conv_a")
    np.testing.assert_allclose(inner, grad_cam(build("flat"), batch, target=0, layer="conv_a"))
    if shape == "twice_nested":
        path = "trunk/backbone/conv_a"
        np.testing.assert_array_equal(inner, grad_cam(model, batch, target=0, layer=path))
        layer = model.get_layer("trunk").get_layer("backbone").get_layer("conv_a")
        np.testing.assert_array_equal(inner, grad_cam(model, batch, target=0, layer=layer))


def test_the_model_is_only_read(build, batch):
    model = build("nested")
    before = [len(layer._inbound_nodes) for layer in model.layers]
    summary = model.to_json()
    grad_cam(model, batch, layer="conv_b")
    assert before == [len(layer._inbound_nodes) for layer in model.layers]
    assert summary == model.to_json()


def test_a_batch_equals_one_by_one_and_a_permutation(build, batch):
    model = build()
    maps = grad_cam(model, batch, target=1)
    single = np.concatenate([grad_cam(model, batch[i : i + 1], target=1) for i in range(5)])
    np.testing.assert_allclose(maps, single, atol=1e-5)
    np.testing.assert_allclose(maps, grad_cam(model, batch, target=1, batch_size=2), atol=1e-5)
    order = np.array([3, 0, 4, 2, 1])
    np.testing.assert_allclose(maps[order], grad_cam(model, batch[order], target=1), atol=1e-5)


def test_nothing_is_traced_twice(keras, build, batch, monkeypatch):
    calls = []
    run = Graph.run

    def counted(graph, images, **options):
        calls.append("compiled" if options else "shapes")
        return run(graph, images, **options)

    monkeypatch.setattr(Graph, "run", counted)
    model = keras.models.clone_model(build())
    for target, size in ((None, 2), (1, 3), ([0, 1, 2, 0, 1], 5)):
        grad_cam(model, batch, target=target, batch_size=size)
    assert calls == ["shapes", "compiled"]


def test_many_methods_and_models_raise_no_warning_of_retracing(keras, build, batch, caplog):
    for _ in range(4):
        model = keras.models.clone_model(build())
        for run in (grad_cam, layer_cam, saliency):
            run(model, batch)
    assert "retracing" not in caplog.text


def test_trained_weights_are_seen(keras, build, batch):
    model = keras.models.clone_model(build())
    before = grad_cam(model, batch, target=1)
    model.set_weights(build().get_weights())
    after = grad_cam(model, batch, target=1)
    assert not np.allclose(before, after)
    np.testing.assert_allclose(after, grad_cam(build(), batch, target=1), atol=1e-6)


def test_a_sequential_model_may_grow(keras, batch):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(2, 1, name="first")])
    model.add(keras.layers.GlobalAveragePooling2D())
    model.add(keras.layers.Dense(2))
    grad_cam(model, batch)
    model.add(keras.layers.Dense(3))
    assert engine_for(model, batch.shape[1:]).n_classes == 3


def test_engines_die_with_their_model(keras, build, batch):
    model = keras.models.clone_model(build())
    grad_cam(model, batch)
    assert model in _ENGINES
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_dropout_is_off_even_where_a_layer_was_built_in_training_mode(keras, batch):
    inputs = keras.Input((16, 16, 3))
    features = keras.layers.Conv2D(4, 3)(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    dropped = keras.layers.Dropout(0.5)(pooled, training=True)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dense(3)(dropped)))
    np.testing.assert_array_equal(grad_cam(model, batch), grad_cam(model, batch))


def test_a_skip_around_the_layer_carries_no_gradient_to_it(keras):
    # score = mean(3 a) + mean(5 x) with a = 2 x: only the 3 counts for the layer's map.
    inputs = keras.Input((2, 2, 1))
    conv = keras.layers.Conv2D(1, 1, use_bias=False, name="a")
    joined = keras.layers.Concatenate()([conv(inputs), inputs])
    dense = keras.layers.Dense(1)
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(joined)))
    conv.set_weights([np.full((1, 1, 1, 1), 2.0)])
    dense.set_weights([np.array([[3.0], [5.0]]), np.zeros(1)])
    found = grad_cam(model, IMAGE, target=1, layer="a")[0]
    np.testing.assert_allclose(found, IMAGE[0, ..., 0] / 4, atol=1e-6)


def test_mixed_precision_gives_nearly_the_same_map(keras, build, batch):
    policy = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        config = build("flat").get_config()
        for layer in config["layers"]:
            layer["config"].pop("dtype", None)
        model = keras.Model.from_config(config)
    finally:
        keras.config.set_dtype_policy(policy)
    model.set_weights(build("flat").get_weights())
    assert model.get_layer("conv_b").compute_dtype == "bfloat16"
    found = grad_cam(model, batch, target=1)
    assert found.dtype == np.float32
    assert np.abs(found - grad_cam(build("flat"), batch, target=1)).mean() < 0.02


def test_a_known_blob_lies_under_its_cell_to_the_pixel(keras):
    layers = [keras.layers.AveragePooling2D(4), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((32, 24, 1)), *layers, keras.layers.Dense(1)])
    model.layers[-1].set_weights([np.ones((1, 1)), np.zeros(1)])
    image = np.zeros((1, 32, 24, 1), np.uint8)
    image[0, 20:24, 8:12] = 200  # the pixels of cell (5, 2)
    values = grad_cam(model, image, target=1)[0]
    assert values.shape == (32, 24)
    # The cell's centre lies between four pixels, which share the maximum.
    assert np.argwhere(values == 1).tolist() == [[21, 9], [21, 10], [22, 9], [22, 10]]
    # Half the height is reached exactly on the cell's rim, so outside of it values are lower.
    inside = np.zeros((32, 24), bool)
    inside[20:24, 8:12] = True
    assert values[inside].min() > 0.35
    assert values[~inside].max() < 0.5
    x, y = Heatmap(values, "tumor", "grad_cam", image[0]).peak
    assert abs(x * 24 - 10) <= 0.5
    assert abs(y * 32 - 22) <= 0.5


@pytest.mark.parametrize("cell", [(0, 0), (0, 5), (7, 0), (7, 5)])
def test_a_blob_in_a_corner_is_not_pulled_away(keras, cell):
    layers = [keras.layers.AveragePooling2D(4), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((32, 24, 1)), *layers, keras.layers.Dense(1)])
    model.layers[-1].set_weights([np.ones((1, 1)), np.zeros(1)])
    image = np.zeros((1, 32, 24, 1), np.uint8)
    row, column = cell
    image[0, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 200
    x, y = Heatmap(grad_cam(model, image, target=1)[0], "tumor", "grad_cam").peak
    assert 4 * column < x * 24 < 4 * column + 4
    assert 4 * row < y * 32 < 4 * row + 4


def test_a_constant_image_gives_a_flat_map(pencil):
    maps = grad_cam(pencil(), np.full((2, 2, 2, 1), 3.0), target=[0, 1])
    assert np.ptp(maps[0]) == np.ptp(maps[1]) == 0
    assert Heatmap(maps[0], "0", "grad_cam").peak is None


def test_uint8_and_float_agree(build, batch):
    np.testing.assert_array_equal(
        grad_cam(build(), batch, target=0), grad_cam(build(), batch.astype(np.float64), target=0)
    )


def test_no_image_gives_no_map(build):
    assert grad_cam(build(), np.zeros((0, 16, 16, 3))).shape == (0, 16, 16)


@given(scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_range_holds_for_any_input(build, batch, scale, shift):
    maps = grad_cam(build(), batch * scale + shift, target=2)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((16, 16, 3)), "looks like one image"),
        (np.zeros((1, 16, 16)), "looks like one image"),
        (np.zeros((1, 8, 16, 3)), r"takes \(16, 16, 3\)"),
        (np.zeros((1, 16, 16, 1)), r"takes \(16, 16, 3\)"),
        (np.zeros((1, 16, 16, 3), complex), "dtype complex"),
        (np.full((2, 16, 16, 3), [[[np.nan]]]), "number 0 holds NaN"),
        (np.array(["a"]), "expected shape"),
    ],
)
def test_wrong_images_are_named(build, images, message):
    with pytest.raises(ImageError, match=message):
        grad_cam(build(), images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 3}, "index from 0 to 2"),
        ({"target": -1}, "index from 0 to 2"),
        ({"target": True}, "index from 0 to 2"),
        ({"target": 1.5}, "index from 0 to 2"),
        ({"target": "glioma"}, "names are not known"),
        ({"target": "x", "class_names": ["a", "b", "c"]}, "no class 'x'"),
        ({"target": [0, 1]}, "2 entries for 5 images"),
        ({"target": "tumor"}, "which class means no tumor"),
        ({"class_names": ["a", "b"]}, "expected 3 different names"),
        ({"layer": "conv_c"}, "close to it: conv_b, conv_a"),
        ({"layer": "gap"}, "a map needs"),
        ({"layer": []}, "list is empty"),
        ({"layer": object()}, "is no layer of the model"),
        ({"layer": "conv_a", "strides": (2,)}, "not both"),
        ({"strides": (3,)}, "no layer has stride 3"),
        ({"strides": (0,)}, "whole number"),
        ({"strides": (1, 2), "fuse": "median"}, "unknown 'median'"),
        ({"batch_size": 0}, "batch_size"),
        ({"shift": 16}, "shift"),
    ],
)
def test_wrong_options_are_named(build, batch, options, message):
    with pytest.raises(ParameterError, match=message):
        grad_cam(build(), batch, **options)


def test_a_name_that_several_layers_have_asks_for_a_path(keras, batch):
    def body(name):
        return keras.Sequential([keras.layers.Conv2D(2, 3, name="conv")], name=name)

    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((16, 16, 3)), body("one"), body("two"), *head])
    with pytest.raises(ParameterError, match="one/conv, two/conv"):
        grad_cam(model, batch, layer="conv")
    assert grad_cam(model, batch, layer="one/conv").shape == (5, 16, 16)


def test_what_is_no_classifier_is_named(keras, batch):
    with pytest.raises(ParameterError, match="expected a Keras model"):
        grad_cam(object(), batch)
    inputs = keras.Input((16, 16, 3))
    conv = keras.layers.Conv2D(2, 3)(inputs)
    with pytest.raises(ParameterError, match="gives an output of shape"):
        grad_cam(keras.Model(inputs, conv), batch)
    pooled = keras.layers.GlobalAveragePooling2D()(conv)
    with pytest.raises(ParameterError, match="2 outputs"):
        grad_cam(keras.Model(inputs, [pooled, pooled]), batch)
    other = keras.Input((3,))
    joined = keras.layers.Concatenate()([pooled, other])
    with pytest.raises(ParameterError, match="several inputs"):
        grad_cam(keras.Model([inputs, other], joined), batch)


def test_a_model_with_its_own_call_hides_its_layers(keras, batch):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(2, 3)
            self.pool = keras.layers.GlobalAveragePooling2D()

        def call(self, inputs):
            return self.pool(self.conv(inputs))

    model = Own()
    model(batch.astype(np.float32))
    with pytest.raises(ParameterError, match="hides its layers"):
        grad_cam(model, batch)


def test_broken_weights_are_named(keras, build, batch):
    model = keras.models.clone_model(build())
    model.set_weights([np.full_like(w, np.nan) for w in model.get_weights()])
    with pytest.raises(ParameterError, match="NaN"):
        grad_cam(model, batch)


def test_a_classifier_explains_itself():
    asked = {}

    def explain(images, **options):
        asked.update(options, images=images)
        return ["heatmap"]

    classifier = SimpleNamespace(model_=None, prepare=None, classes_=(), explain=explain)
    assert grad_cam(classifier, ["a.png"], target="glioma") == ["heatmap"]
    assert asked == {"images": ["a.png"], "method": "grad_cam", "target": "glioma"}
    assert grad_cam(model=classifier, images=["b.png"]) == ["heatmap"]
