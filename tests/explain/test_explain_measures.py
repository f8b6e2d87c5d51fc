import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain.baselines import baseline_maps
from mri_tumor.explain.faithfulness import Curve, deletion_curve, insertion_curve
from mri_tumor.explain.maps import gaussian_blur
from mri_tumor.explain.measures import (
    best_iou,
    box_mask,
    energy_inside,
    peak_distance,
    pointing_game,
)
from mri_tumor.explain.randomisation import randomisation_check, rank_correlation

# ---- regions

BOX = np.zeros((4, 10), bool)
BOX[1:3, 2:5] = True


def test_a_box_by_hand():
    # Columns 2 to 4 of 10, rows 1 and 2 of 4.
    np.testing.assert_array_equal(box_mask([0.35, 0.5, 0.3, 0.5], (4, 10)), BOX)
    np.testing.assert_array_equal(box_mask([0.5, 0.5, 1, 1], (3, 5)), np.ones((3, 5), bool))
    tiny = box_mask([0.99, 0.01, 1e-3, 1e-3], (4, 10))
    assert np.argwhere(tiny).tolist() == [[0, 9]]
    assert box_mask([1, 1, 0.1, 0.1], (4, 4))[3, 3]


@pytest.mark.parametrize(
    "box",
    [[0.5, 0.5, 0.1], [0.5, 0.5, 0, 0.1], [np.nan] * 4, [50, 50, 10, 10], [-0.1, 0, 0.1, 0.1]],
)
def test_a_wrong_box_is_named(box):
    with pytest.raises(ParameterError, match="box"):
        box_mask(box, (10, 10))


def point(row, column, shape=(4, 10)):
    values = np.zeros(shape)
    values[row, column] = 1
    return values


def test_pointing_by_hand():
    assert pointing_game(point(2, 4), BOX)
    assert not pointing_game(point(2, 5), BOX)
    # One column of ten to the right; one row of four and one column away at the corner.
    assert peak_distance(point(2, 5), BOX) == pytest.approx(0.1)
    assert peak_distance(point(3, 5), BOX) == pytest.approx(np.hypot(0.1, 0.25))
    assert pointing_game(point(2, 5), BOX, tolerance=0.1001)
    assert peak_distance(np.zeros((4, 10)), BOX) == np.inf
    assert not pointing_game(np.ones((4, 10)), BOX, tolerance=10)


def test_energy_by_hand():
    values = np.full((4, 10), 0.5)
    assert energy_inside(values, BOX) == pytest.approx(6 / 40)
    assert energy_inside(BOX.astype(float), BOX) == 1
    assert energy_inside(np.zeros((4, 10)), BOX) == 0


def test_iou_by_hand():
    assert best_iou(BOX * 0.7, BOX) == (1.0, pytest.approx(0.7))
    values = np.where(BOX, 0.6, 0.2)
    values[0, 0] = 0.9  # taken before the region: 6 of 7
    assert best_iou(values, BOX) == (pytest.approx(6 / 7), pytest.approx(0.6))
    assert best_iou(np.full((4, 10), 0.5), BOX)[0] == pytest.approx(6 / 40)
    assert best_iou(np.zeros((4, 10)), BOX) == (0.0, 1.0)


@given(values=hnp.arrays(np.float32, (5, 6), elements=st.sampled_from([0, 0.25, 0.5, 1])))
def test_iou_is_the_best_over_all_thresholds(values):
    region = np.zeros((5, 6), bool)
    region[1:3, 2:4] = True
    tried = [0.0]
    for threshold in (0.25, 0.5, 1.0):
        taken = values >= threshold
        tried.append((taken & region).sum() / (taken | region).sum())
    assert best_iou(values, region)[0] == pytest.approx(max(tried))


@pytest.mark.parametrize("measure", [pointing_game, peak_distance, energy_inside, best_iou])
def test_a_wrong_mask_is_named(measure):
    with pytest.raises(ParameterError, match="mask"):
        measure(np.zeros((4, 4)), np.zeros((4, 5), bool))
    with pytest.raises(ParameterError, match="mask"):
        measure(np.zeros((4, 4)), np.ones((4, 4)))
    with pytest.raises(ParameterError, match="marks no pixel"):
        measure(np.zeros((4, 4)), np.zeros((4, 4), bool))


# ---- deletion and insertion


def bright(images):
    """A model that asks for the pixel at (1, 1) alone."""
    return images[:, 1, 1, 0] / 100


def test_curves_of_the_right_and_the_wrong_map():
    image = np.full((4, 4, 3), 100.0)
    right, wrong = point(1, 1, (4, 4)), 1 - point(1, 1, (4, 4))
    # The pixel goes with the first of four steps, or with the last.
    early = deletion_curve(bright, image, right, steps=4)
    np.testing.assert_allclose(early.fractions, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(early.probabilities, [1, 0, 0, 0, 0])
    assert early.auc == pytest.approx(1 / 8)
    assert deletion_curve(bright, image, wrong, steps=4).auc == pytest.approx(7 / 8)


def test_insertion_starts_blurred_and_ends_at_the_image():
    image = np.zeros((8, 8, 1))
    image[1, 1] = 100
    curve = insertion_curve(bright, image, point(1, 1, (8, 8)), steps=8, batch_size=3)
    assert curve.probabilities[0] < 0.99
    np.testing.assert_allclose(curve.probabilities[1:], 1)
    worse = insertion_curve(bright, image, 1 - point(1, 1, (8, 8)), steps=8)
    assert worse.auc < curve.auc


def test_ties_do_not_favour_a_side():
    image = np.ones((20, 20, 1))

    def left(images):
        return images[:, :, :10, 0].mean(axis=(1, 2))

    curve = deletion_curve(left, image, np.zeros((20, 20)), steps=4)
    np.testing.assert_allclose(curve.probabilities, [1, 0.75, 0.5, 0.25, 0], atol=0.06)


def test_the_area_is_the_trapezoids():
    assert Curve(np.array([0, 0.5, 1]), np.array([1, 0.5, 0])).auc == pytest.approx(0.5)


def test_wrong_curve_options_are_named():
    with pytest.raises(ImageError, match="the map's size"):
        deletion_curve(bright, np.zeros((4, 4, 1)), np.zeros((5, 4)))
    with pytest.raises(ParameterError, match="steps"):
        deletion_curve(bright, np.zeros((4, 4, 1)), np.zeros((4, 4)), steps=0)
    with pytest.raises(ParameterError, match="baseline"):
        deletion_curve(bright, np.zeros((4, 4, 1)), np.zeros((4, 4)), baseline=np.inf)
    with pytest.raises(ParameterError, match="sigma"):
        insertion_curve(bright, np.zeros((4, 4, 1)), np.zeros((4, 4)), sigma=0)


# ---- baselines


def test_baselines_peak_where_they_say():
    images = np.zeros((2, 40, 60, 3), np.uint8)
    images[0, 10:16, 20:26] = 200
    images[1, 30:36, 5:11] = 200
    maps = baseline_maps("brightest_blob", images)
    assert pointing_game(maps[0], box_mask([23 / 60, 13 / 40, 0.1, 0.15], (40, 60)))
    assert pointing_game(maps[1], box_mask([8 / 60, 33 / 40, 0.1, 0.15], (40, 60)))
    centre = baseline_maps("centre", images)
    assert centre.shape == (2, 40, 60)
    assert peak_distance(centre[0], box_mask([0.5, 0.5, 0.05, 0.05], (40, 60))) == 0
    assert baseline_maps("brightest_blob", images[..., 0]).max() == 1
    assert not baseline_maps("brightest_blob", np.full((1, 8, 8), 7)).any()
    with pytest.raises(ParameterError, match="use one of centre"):
        baseline_maps("left", images)


def test_a_blur_keeps_a_constant_and_spreads_a_point():
    np.testing.assert_allclose(gaussian_blur(np.full((1, 9, 7, 2), 3.0), 2.0), 3, atol=1e-5)
    spread = gaussian_blur(point(4, 4, (9, 9))[None], 1.0)[0]
    assert spread.argmax() == 40
    np.testing.assert_allclose(spread, spread.T, atol=1e-7)


# ---- randomisation


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    first = rng.random((6, 6))
    assert rank_correlation(first, first**3) == pytest.approx(1)
    assert rank_correlation(first, -first) == pytest.approx(-1)
    assert rank_correlation(first, np.zeros((6, 6))) == 0


def test_random_weights_destroy_grad_cam(build, batch):
    model = build()
    before = [w.copy() for w in model.get_weights()]
    check = randomisation_check(model, batch, method="grad_cam", target=1, stages=3)
    assert len(check.shares) == len(check.similarities) == 3
    assert check.shares[-1] == 1
    assert list(check.shares) == sorted(check.shares)
    assert check.similarities[-1] < 0.9
    assert check.passed == (abs(check.similarities[-1]) < 0.5)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_map_that_ignores_the_weights_fails(keras, batch):
    """Eigen-CAM of a layer without weights shows the image, whatever was learned."""
    layers = [keras.layers.AveragePooling2D(2, name="show"), keras.layers.Conv2D(4, 3)]
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((16, 16, 3)), *layers, *head])
    check = randomisation_check(model, batch, method="eigen_cam", layer="show")
    assert check.similarities == pytest.approx((1.0,) * 4)
    assert not check.passed
    assert check.to_dict()["passed"] is False


def test_what_cannot_be_randomised_is_named(keras, build, batch):
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.GlobalAveragePooling2D()])
    with pytest.raises(ParameterError, match="no weights"):
        randomisation_check(model, batch, method="saliency")
    with pytest.raises(ParameterError, match="at least one"):
        randomisation_check(build(), batch[:0])
    assert randomisation_check(build(), batch[:1], stages=1).between_images is None
