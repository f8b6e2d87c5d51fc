"""What a benchmark counts and plans, by hand."""

import pytest

from mri_tumor.benchmark import count_multiply_adds, pareto_front
from mri_tumor.benchmark.plan import plan_cells
from mri_tumor.benchmark.summary import Spread
from mri_tumor.cli.benchmark import _weights
from mri_tumor.errors import ParameterError


def test_the_front_holds_what_nothing_beats():
    #        a    b    c    d    e (as b)  f (slower than b, as good)
    costs = [1.0, 2.0, 3.0, 4.0, 2.0, 2.5]
    gains = [0.5, 0.9, 0.8, 0.95, 0.9, 0.9]
    assert pareto_front(costs, gains) == [True, True, False, True, True, False]
    assert pareto_front([1.0, None, 3.0], [None, 0.9, 0.1]) == [False, False, True]
    assert pareto_front([], []) == []


def test_a_spread_is_that_of_a_sample():
    spread = Spread.of([0.90, None, 0.94, 0.98])
    assert spread.mean == pytest.approx(0.94)
    assert spread.sd == pytest.approx(0.04)
    assert (spread.least, spread.most) == (0.90, 0.98)
    assert Spread.of([0.5]).sd is None
    assert Spread.of([None]) is None


def test_multiply_adds_are_those_counted_by_hand():
    import keras

    image = keras.Input((9, 9, 4))
    values = keras.layers.Conv2D(6, 3, strides=2, padding="same")(image)  # 5*5*6 * 3*3*4
    values = keras.layers.BatchNormalization()(values)
    values = keras.layers.DepthwiseConv2D(3)(values)  # 3*3*6 * 3*3
    values = keras.layers.Conv2D(8, 1, groups=2)(values)  # 3*3*8 * 3
    values = keras.layers.SeparableConv2D(5, 3)(values)  # 1*1*8 * 9, 1*1*5 * 8
    values = keras.layers.Dense(3)(values)  # 1*1*3 * 5
    inner = keras.Model(image, values)  # nested, and called twice
    outer = keras.Input((9, 9, 4))
    both = keras.layers.Concatenate()([inner(outer), inner(outer)])
    values = keras.layers.Dense(7)(keras.layers.Flatten()(both))  # 6 * 7
    once = 150 * 36 + 54 * 9 + 72 * 3 + 72 + 40 + 15
    assert count_multiply_adds(keras.Model(outer, values)) == 2 * once + 42


def test_a_transposed_convolution_spreads_its_input():
    import keras

    layers = [keras.Input((4, 4, 5)), keras.layers.Conv2DTranspose(3, 2, strides=2)]
    assert count_multiply_adds(keras.Sequential(layers)) == 4 * 4 * 5 * 2 * 2 * 3


def test_attention_counts_its_products():
    import keras

    image = keras.Input((4, 4, 6))
    rows = keras.layers.Reshape((16, 6))(image)
    attended = keras.layers.MultiHeadAttention(num_heads=2, key_dim=3)(rows, rows)
    model = keras.Model(image, attended)
    # Queries, keys, values and the way out: 16 * 6 * 6 each; scores and their use: 2 * 16*16*3.
    assert count_multiply_adds(model) == 4 * 16 * 36 + 2 * (2 * 16 * 16 * 3)


def test_cells_come_seed_by_seed_and_have_folders_of_their_own(tmp_path):
    weights = tmp_path / "my.weights.h5"
    weights.write_bytes(b"1")
    cells = plan_cells(["a:x=1", "a/x=1"], 2, {"a/x=1": weights})
    assert [(c.name, c.seed) for c in cells] == [
        ("a:x=1", 0), ("a/x=1", 0), ("a:x=1", 1), ("a/x=1", 1),
    ]  # fmt: skip
    assert [c.started_from for c in cells[:2]] == ["imagenet", "my.weights.h5"]
    keys = [cell.key for cell in cells]
    assert len(set(keys)) == 4
    assert not any(set(key) & set("/:=") for key in keys)
    weights.write_bytes(b"2")
    assert cells[1].key != keys[1]
    assert cells[0].key == keys[0]
    with pytest.raises(ParameterError, match="none twice"):
        plan_cells(["a", "a"], 1, None)
    with pytest.raises(ParameterError, match="'b' is none of the backbones"):
        plan_cells(["a"], 1, {"b": None})


def test_weights_on_the_command_line_are_for_all_or_for_one():
    names = ("MobileNetV2", "MobileNetV2:alpha=0.5", "Xception")
    given = ("none", "MobileNetV2=imagenet", "MobileNetV2:alpha=0.5=w=1.h5")
    assert _weights(given, names) == {
        "MobileNetV2": "imagenet", "MobileNetV2:alpha=0.5": "w=1.h5", "Xception": None,
    }  # fmt: skip
    assert _weights((), ("A",)) == {"A": "imagenet"}
