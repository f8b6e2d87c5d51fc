"""The one preprocessing: crop, intensities, padding, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor.errors import ParameterError
from mri_tumor.images.preprocessing import Geometry, Preprocessing, preprocess


def head(height=200, width=160, *, top=40, left=30, bottom=170, right=130, level=80):
    image = np.zeros((height, width), dtype=np.uint8)
    image[top:bottom, left:right] = level
    return image


def test_crops_to_the_bright_part_to_within_a_cell_of_the_reduced_image():
    _, geometry = preprocess(head(), Preprocessing(margin=0.0))
    # The edge is found in an image reduced by 160 / 64, so to within 2 pixels.
    found = (geometry.top, geometry.left, geometry.bottom, geometry.right)
    assert np.abs(np.subtract(found, (40, 30, 170, 130))).max() <= 2


def test_pads_to_a_square_so_that_proportions_stay():
    values, _ = preprocess(head(), Preprocessing(size=130, margin=0.0))
    filled = values[:, :, 0] > 128
    rows, columns = filled.any(axis=1).sum(), filled.any(axis=0).sum()
    assert rows / columns == pytest.approx(130 / 100, rel=0.03)


@pytest.mark.parametrize("gain", [0.4, 0.7, 1.0])
def test_intensity_scale_of_the_scanner_does_not_matter(gain):
    rng = np.random.default_rng(0)
    image = head(level=0).astype(float)
    image[40:170, 30:130] = rng.uniform(60, 250, (130, 100))
    plain, _ = preprocess(image.astype(np.uint8))
    scaled, _ = preprocess((image * gain).astype(np.uint8))
    # Rounding to 8 bits before and after the scaling costs up to 1/0.4 grey levels.
    assert np.abs(plain.astype(int) - scaled.astype(int)).max() <= 5


def test_a_grey_background_becomes_black():
    image = np.maximum(head(), 25)
    values, _ = preprocess(image, Preprocessing(margin=0.1))
    assert values[0, 0, 0] == 0
    assert values.max() == 255


def test_black_margins_of_any_width_make_no_difference():
    rng = np.random.default_rng(1)
    brain = rng.integers(90, 200, (128, 128)).astype(np.uint8)
    narrow = np.pad(brain, 16)
    wide = np.pad(brain, 64)
    first, _ = preprocess(narrow, Preprocessing(margin=0.0))
    second, _ = preprocess(wide, Preprocessing(margin=0.0))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.95


def test_text_in_a_corner_is_left_out_of_the_crop():
    image = head()
    image[2:8, 2:30] = 255
    _, geometry = preprocess(image, Preprocessing(margin=0.0))
    assert geometry.top > 20


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_image_stays_flat_and_whole(level):
    image = np.full((50, 60), level, dtype=np.uint8)
    values, geometry = preprocess(image, Preprocessing(size=32))
    assert (geometry.bottom - geometry.top, geometry.right - geometry.left) == (50, 60)
    assert np.isin(values[16, 16], level).all()


def test_shrinking_is_antialiased():
    # A fine checkerboard averages to grey; picking single pixels would leave 0 or 255.
    image = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    values, _ = preprocess(image, Preprocessing(size=32, crop=False, white_percentile=None))
    assert np.abs(values.astype(int) - 127).max() <= 3


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 40), st.integers(0, 40), st.data())
def test_a_point_finds_its_way_back_to_its_pixel(height, width, top, left, data):
    geometry = Geometry(
        height=height + top + 5, width=width + left + 3, top=top, left=left,
        bottom=top + height, right=left + width, size=64,
    )  # fmt: skip
    y = data.draw(st.integers(top, top + height - 1))
    x = data.draw(st.integers(left, left + width - 1))
    down, across = geometry.offset
    # The same pixel in the padded square, as a map at the square's own resolution.
    values = np.zeros((geometry.side, geometry.side))
    values[y - top + down, x - left + across] = 1
    back = geometry.to_original(values)
    assert back.shape == (geometry.height, geometry.width)
    assert np.unravel_index(back.argmax(), back.shape) == (y, x)
    assert back.sum() == pytest.approx(1, abs=1e-4)


def test_what_was_cut_off_has_no_evidence():
    geometry = Geometry(height=40, width=40, top=10, left=10, bottom=30, right=30, size=16)
    back = geometry.to_original(np.ones((7, 7)))
    assert back[10:30, 10:30].min() == 1
    assert back.sum() == 400


def test_a_box_is_carried_into_the_models_input():
    geometry = Geometry(height=100, width=200, top=0, left=100, bottom=100, right=200, size=50)
    assert geometry.box_to_input(0.75, 0.5, 0.1, 0.2) == pytest.approx((0.5, 0.5, 0.2, 0.2))


def test_settings_survive_a_round_trip_and_unknown_ones_are_refused():
    chosen = Preprocessing(size=96, margin=0.1, white_percentile=None)
    assert Preprocessing.from_dict(chosen.to_dict()) == chosen
    with pytest.raises(ParameterError, match="sharpen"):
        Preprocessing.from_dict({"size": 96, "sharpen": True})
    with pytest.raises(ParameterError, match="version 99"):
        Preprocessing.from_dict({"size": 96, "version": 99})


@pytest.mark.parametrize(
    "setting",
    [{"size": 4}, {"size": 64.5}, {"margin": -0.1}, {"edge": 0.0}, {"white_percentile": 10}],
)
def test_settings_out_of_range_are_named(setting):
    with pytest.raises(ParameterError, match=next(iter(setting))):
        Preprocessing(**setting)


@pytest.mark.parametrize("image", [np.zeros((5, 5)), np.zeros((5, 5, 3), np.uint8)])
def test_only_grey_bytes_are_taken(image):
    with pytest.raises(ParameterError, match="uint8"):
        preprocess(image)
