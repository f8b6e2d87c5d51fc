"""Arrays as images: one documented rule, and an error for all else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.images import as_grey_image, as_grey_images


def ramp():
    return np.arange(20 * 30, dtype=np.float64).reshape(20, 30) / 599


def test_uint8_is_kept():
    image = (ramp() * 255).astype(np.uint8)
    np.testing.assert_array_equal(as_grey_image(image), image)
    np.testing.assert_array_equal(as_grey_image(image[..., None]), image)
    np.testing.assert_array_equal(as_grey_image(np.stack([image] * 3, axis=-1)), image)


def test_floats_up_to_one_are_fractions_and_others_grey_values():
    expected = np.floor(ramp() * 255 + 0.5)
    np.testing.assert_array_equal(as_grey_image(ramp()), expected)
    np.testing.assert_array_equal(as_grey_image(ramp().astype(np.float32)), expected)
    np.testing.assert_array_equal(as_grey_image(ramp() * 255), expected)
    assert as_grey_image(np.full((16, 16), 1.5))[0, 0] == 2


def test_the_range_may_be_said():
    dark = np.full((16, 16), 0.9)
    assert as_grey_image(dark)[0, 0] == 230
    assert as_grey_image(dark, value_range=(0, 255))[0, 0] == 1
    with pytest.raises(ImageError, match=r"outside of \[0, 1\]"):
        as_grey_image(dark * 2, value_range=(0, 1))
    with pytest.raises(ParameterError, match="value_range"):
        as_grey_image(dark, value_range=(-1, 1))


def test_colour_is_luma_and_alpha_lies_on_black():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert as_grey_image(red)[0, 0] == 76
    clear = np.full((16, 16, 4), 255, np.uint8)
    clear[:8, :, 3] = 0
    grey = as_grey_image(clear)
    assert grey[0, 0] == 0
    assert grey[15, 0] == 255
    assert as_grey_image(clear / 255)[15, 0] == 255


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(100), "shape"),
        (np.zeros((20, 20, 2)), "shape"),
        (np.zeros((2, 20, 20, 3)), "shape"),
        (np.zeros((3, 20, 20)), "shape"),
        (np.zeros((15, 20)), "too few"),
        (np.zeros((0, 20)), "too few"),
        (np.zeros((20, 20), np.uint16), "dtype uint16"),
        (np.zeros((20, 20), np.int64), "dtype int64"),
        (np.zeros((20, 20), bool), "dtype bool"),
        (np.zeros((20, 20), complex), "dtype complex"),
        (np.full((20, 20), "a"), "dtype"),
        (np.full((20, 20), np.nan), "400 values are NaN"),
        (np.full((20, 20), np.inf), "infinite"),
        (np.full((20, 20), -0.1), "outside"),
        (np.full((20, 20), 255.5), "outside"),
        ([[1, 2], [3]], "array"),
        ("scan.png", "shape"),
        (None, "shape"),
    ],
)
def test_everything_else_is_refused_by_name(array, words):
    with pytest.raises(ImageError, match=words) as caught:
        as_grey_image(array, "scan")
    assert str(caught.value).startswith("scan: ")


def test_a_batch_shares_one_range():
    batch = np.stack([np.full((16, 16), 0.5), np.full((16, 16), 200.0)])
    dark, bright = as_grey_images(batch)
    assert dark[0, 0] == 1  # on its own, 0.5 would be mid-grey
    assert bright[0, 0] == 200
    assert len(as_grey_images(np.zeros((2, 16, 16, 3), np.uint8))) == 2


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((20, 20)), "shape"),
        (np.zeros((20, 20, 3), np.uint8), "one colour image"),
        (np.zeros((0, 20, 20)), "no image"),
        (np.zeros((2, 20, 20, 5)), r"images\[0\].*shape"),
        (np.stack([np.zeros((20, 20)), np.full((20, 20), np.nan)]), r"images\[1\]: 400"),
    ],
)
def test_bad_batches(array, words):
    with pytest.raises(ImageError, match=words):
        as_grey_images(array)


@given(
    st.integers(16, 24), st.integers(16, 24), st.sampled_from([0, 1, 3, 4]), st.integers(0, 2**32)
)
def test_uint8_and_its_fractions_agree(height, width, channels, seed):
    shape = (height, width, channels) if channels else (height, width)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    grey = as_grey_image(image)
    assert grey.shape == (height, width)
    np.testing.assert_array_equal(grey, as_grey_image(image / 255, value_range=(0, 1)))
    np.testing.assert_array_equal(
        grey, as_grey_image(image.astype(np.float32), value_range=(0, 255))
    )
