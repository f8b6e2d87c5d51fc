import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain import grad_cam
from mri_tumor.explain.closed_form import PooledHead, closed_form_grad_cam
from mri_tumor.explain.pooled_head import read_pooled_head
from mri_tumor.explain.targets import resolve_targets


def random_head(rng, channels=6, hidden=5, outputs=3):
    return PooledHead(
        rng.normal(size=(channels, hidden)),
        rng.normal(size=hidden),
        rng.normal(size=(hidden, outputs)),
        rng.normal(size=outputs),
    )


@given(seed=st.integers(0, 10_000), outputs=st.sampled_from([1, 2, 4]))
@settings(max_examples=25, deadline=None)
def test_the_gradient_is_the_tapes(seed, outputs):
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(seed)
    head = random_head(rng, outputs=outputs)
    features = tf.constant(rng.normal(size=(3, 4, 2, 6)), tf.float32)
    weights = rng.normal(size=(3, head.n_classes)).astype(np.float32)
    with tf.GradientTape() as tape:
        tape.watch(features)
        hidden = tf.nn.relu(tf.reduce_mean(features, (1, 2)) @ head.w1 + head.b1)
        raw = hidden @ head.w2 + head.b2
        scores = tf.concat([-raw, raw], 1) if outputs == 1 else raw
        total = tf.reduce_sum(weights * scores)
    slopes = tape.gradient(total, features).numpy()
    found = head.gradient(features, weights)
    np.testing.assert_allclose(
        np.broadcast_to(found[:, None, None], slopes.shape), slopes, atol=1e-5
    )
    np.testing.assert_allclose(head.scores(features), scores, atol=1e-4)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("target", [None, 0, 1, "tumor", "likeliest_tumor", [0, 1, 1, 0, None]])
def test_the_map_is_grad_cams(keras, build, batch, activation, target):
    model = build("nested", activation)
    names = (
        ["notumor", "tumour"] if activation == "sigmoid" else ["glioma", "notumor", "pituitary"]
    )
    head = read_pooled_head(model)
    outputs = [model.get_layer("feature_map").output, model.output]
    features, answers = keras.Model(model.input, outputs).predict(batch, verbose=0)
    found = head.grad_cam(features, target=target, shape=(16, 16), class_names=names)
    expected = grad_cam(model, batch, target=target, class_names=names)
    assert expected.any()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if activation == "sigmoid":
        answers = np.concatenate([1 - answers, answers], axis=1)
    np.testing.assert_allclose(head.probabilities(features), answers, atol=1e-6)
    coarse = head.grad_cam(features, target=target, class_names=names)
    assert coarse.shape == (5, 4, 4)


@pytest.mark.parametrize("shape", ["flat", "twice_nested", "sequential_in_sequential"])
def test_the_weights_are_found_in_every_shape_of_model(build, shape):
    head, expected = read_pooled_head(build(shape)), build("flat").get_weights()[-4:]
    for found, weight in zip((head.w1, head.b1, head.w2, head.b2), expected, strict=True):
        np.testing.assert_array_equal(found, weight)


def test_another_head_is_refused(keras):
    def head(*layers):
        return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), *layers])

    dense = keras.layers.Dense
    pool = keras.layers.GlobalAveragePooling2D
    others = [
        head(pool(), dense(2, "softmax")),
        head(keras.layers.Flatten(), dense(4, "relu"), dense(2, "softmax")),
        head(keras.layers.GlobalMaxPooling2D(), dense(4, "relu"), dense(2, "softmax")),
        head(pool(), dense(4, "relu"), keras.layers.BatchNormalization(), dense(2, "softmax")),
    ]
    for model in others:
        with pytest.raises(ParameterError, match="does not end in global average pooling"):
            read_pooled_head(model)
    with pytest.raises(ParameterError, match="other activations"):
        read_pooled_head(head(pool(), dense(4, "tanh"), dense(2, "softmax")))


def test_a_bias_may_be_missing(keras):
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4, "relu", use_bias=False)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers, keras.layers.Dense(1)])
    np.testing.assert_array_equal(read_pooled_head(model).b1, np.zeros(4))


def test_wrong_shapes_are_named():
    w1, b1, w2, b2 = np.ones((6, 5)), np.ones(5), np.ones((5, 3)), np.ones(3)
    with pytest.raises(ParameterError, match="expected shapes"):
        PooledHead(w1.T, b1, w2, b2)
    with pytest.raises(ParameterError, match="expected shapes"):
        PooledHead(w1, b1, w2, np.float32(1))
    with pytest.raises(ParameterError, match="w2: holds NaN"):
        PooledHead(w1, b1, w2 * np.nan, b2)
    with pytest.raises(ImageError, match=r"expected shape \(n, height, width, 6\)"):
        closed_form_grad_cam(np.ones((1, 4, 4, 5)), w1, b1, w2, b2)
    with pytest.raises(ParameterError, match="index from 0 to 2"):
        closed_form_grad_cam(np.ones((1, 4, 4, 6)), w1, b1, w2, b2, 3)
    assert closed_form_grad_cam(np.ones((0, 4, 4, 6)), w1, b1, w2, b2).shape == (0, 4, 4)


def test_cancelling_terms_give_no_evidence():
    rng = np.random.default_rng(0)
    column = rng.random((1, 3, 3, 1))
    features = np.concatenate([column, 3 * column], axis=-1)
    w1 = np.array([[0.3], [-0.1]])
    maps = closed_form_grad_cam(features, w1, [1.0], [[1.0, 0.0]], [0.0, 0.0], 0)
    assert not maps.any()


def test_neither_explaining_in_numpy_nor_drawing_loads_a_framework():
    code = (
        "import sys, numpy as np, mri_tumor.explain\n"
        "from mri_tumor.explain.closed_form import closed_form_grad_cam as f\n"
        "maps = f(np.ones((1, 2, 2, 1)), [[1.0]], [0.0], [[1.0]], [0.0], 1, shape=(8, 8))\n"
        "from mri_tumor.explain import Heatmap, sheet\n"
        "sheet([Heatmap(maps[0], 'tumor', 'grad_cam', np.zeros((8, 8)))])\n"
        "heavy = {'tensorflow', 'keras', 'scipy', 'sklearn', 'matplotlib', 'pandas'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_heads_word_on_each_cell_by_hand():
    # The head hands two channels on as the two classes' logits.
    head = PooledHead(np.eye(2), np.zeros(2), np.eye(2), np.zeros(2))
    features = np.array([[[[3.0, 1.0], [0.0, 2.0]]], [[[1.0, 4.0], [0.0, 0.0]]]])
    found = head.cell_evidence(features, resolve_targets(0, n_images=2, n_classes=2))
    # Log-odds of the first class: 2 and -2 in the first image, -3 and 0 in the second.
    np.testing.assert_allclose(found, [[[2.0, 0.0]], [[0.0, 0.0]]], atol=1e-6)


@given(seed=st.integers(0, 10_000), outputs=st.sampled_from([1, 2, 4]))
@settings(max_examples=25, deadline=None)
def test_a_cells_evidence_is_its_probabilities_log_odds(seed, outputs):
    rng = np.random.default_rng(seed)
    head = random_head(rng, outputs=outputs)
    features = rng.normal(size=(2, 3, 4, 6)).astype(np.float32)
    single = head.probabilities(features.reshape(24, 1, 1, 6)).reshape(2, 3, 4, -1)
    negative = 0
    for target in (1, "tumor", "likeliest_tumor", None):
        targets = resolve_targets(
            target, n_images=2, n_classes=head.n_classes, negative_class=negative
        )
        whole = np.where(targets.mask, head.probabilities(features), -1).argmax(axis=1)
        p = 1 - single[..., negative]
        if target != "tumor":
            p = np.stack([one[..., k] for one, k in zip(single, whole, strict=True)])
        found = head.cell_evidence(features, targets)
        # A probability of nearly one holds too few digits to tell its odds.
        np.testing.assert_allclose(1 / (1 + np.exp(-found)), np.maximum(p, 0.5), atol=1e-5)


def test_a_peak_between_cells_is_found_there():
    head = PooledHead(np.eye(2), np.zeros(2), np.eye(2), np.zeros(2))
    features = np.zeros((1, 7, 7, 2))
    features[..., 1] = 1.0
    features[0, 2, 3:5, 0] = 4.0  # as much in both: the peak lies between them
    targets = resolve_targets(0, n_images=1, n_classes=2)
    values = head.cell_evidence(features, targets, shape=(224, 224))
    row, column = np.unravel_index(values[0].argmax(), (224, 224))
    assert row in range(78, 83)
    assert column in range(126, 131)
