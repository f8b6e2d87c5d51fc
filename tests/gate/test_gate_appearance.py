"""Descriptions of pictures: hand-made pictures have known measures."""

import numpy as np
import pytest

from mri_tumor.errors import ParameterError
from mri_tumor.gate.appearance import MEASURES, WIDTH, describe, describe_all, measures_of


def square(level=200, side=96, edge=24):
    image = np.zeros((side, side), np.uint8)
    image[edge:-edge, edge:-edge] = level
    return image


def test_a_description_is_float32_of_the_promised_width():
    row = describe(square())
    assert row.shape == (WIDTH,)
    assert row.dtype == np.float32
    assert np.isfinite(row).all()


def test_measures_of_a_flat_square():
    facts = measures_of(describe(square()))
    assert facts.contrast == 200
    assert facts.levels < 0.6  # all white but for the rim that resampling leaves
    assert facts.corners == 0.0
    assert facts.extremes > 0.9
    # 48 of 96 pixels and a margin of 3% of 48, rounded to 1 and 2: about a quarter.
    assert 0.25 <= facts.head <= 0.31


def test_bright_corners_are_measured_between_dark_and_white():
    image = np.full((96, 96), 255, np.uint8)
    image[40:56, 40:56] = 0
    assert measures_of(describe(image)).corners == pytest.approx(1.0)
    image[-8:, :] = 51  # two dark corners are not enough: the second darkest counts
    assert measures_of(describe(image)).corners == pytest.approx(0.2)


def test_smoothness_is_the_correlation_of_neighbours():
    y, x = np.indices((64, 64))
    checks = (255 * ((y + x) % 2)).astype(np.uint8)
    # Each step turns +1 to -1: 1 - (2 * 2) / (2 * 1) = -1 in units of the spread.
    assert measures_of(describe(checks)).smoothness == pytest.approx(-1.0, abs=0.01)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    assert measures_of(describe(noise)).smoothness == pytest.approx(0.0, abs=0.02)
    ramp = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    assert measures_of(describe(ramp)).smoothness > 0.99


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 300), (700, 40)])
def test_any_shape_is_described(shape):
    values = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    assert np.isfinite(describe(values)).all()


def test_a_uniform_picture_has_finite_numbers():
    for level in (0, 128, 255):
        facts = measures_of(describe(np.full((50, 60), level, np.uint8)))
        assert facts.contrast == 0
        assert facts.smoothness == 1.0


def test_margins_change_little_of_what_the_crop_shows():
    y, x = np.indices((96, 96)) - 47.5
    image = np.where(np.hypot(y, x) < 40, 120 + y + x, 0).astype(np.uint8)
    first, second = describe(image), describe(np.pad(image, 40))
    assert np.abs(first - second)[len(MEASURES) :].mean() < 0.03
    assert measures_of(second).head < 0.5 * measures_of(first).head


def test_none_gives_an_empty_array():
    assert describe_all([]).shape == (0, WIDTH)


def test_colour_and_float_pictures_are_refused():
    with pytest.raises(ParameterError, match="uint8 array of shape"):
        describe(np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(ParameterError, match="uint8 array of shape"):
        describe(np.zeros((20, 20), np.float32))
    with pytest.raises(ParameterError, match="description must have the shape"):
        measures_of(np.zeros(3, np.float32))
