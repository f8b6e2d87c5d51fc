import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain import COLORMAPS, Heatmap, montage, sheet
from mri_tumor.explain.colormap import colorize, colormap_table
from mri_tumor.explain.picture import color_bar, contour_mask, overlay_map, tile, to_rgb


def one_hot(height, width, row, column):
    values = np.zeros((height, width))
    values[row, column] = 1.0
    return values


def make(values, image=None):
    return Heatmap(values, target="glioma", method="grad_cam", image=image)


# ---- the map


@given(st.data())
def test_the_peak_is_the_maximums_pixel_centre(data):
    height, width = data.draw(st.integers(2, 40)), data.draw(st.integers(2, 40))
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    x, y = make(one_hot(height, width, row, column)).peak
    assert x == pytest.approx((column + 0.5) / width)
    assert y == pytest.approx((row + 0.5) / height)


def test_the_peak_of_a_plateau_is_its_middle():
    values = np.zeros((10, 20))
    values[0:3, 4:9] = 1
    assert make(values).peak == ((6 + 0.5) / 20, (1 + 0.5) / 10)


def test_a_flat_map_has_no_peak():
    assert make(np.zeros((3, 4))).peak is None
    assert make(np.ones((3, 4))).peak is None
    assert make(np.zeros((3, 4))).to_dict()["peak"] is None


def test_values_are_a_read_only_copy():
    given_values = np.zeros((2, 2))
    heatmap = make(given_values)
    given_values[0, 0] = 1
    assert heatmap.values.dtype == np.float32
    assert not heatmap.values.any()
    with pytest.raises(ValueError, match="read-only"):
        heatmap.values[0, 0] = 1


@pytest.mark.parametrize(
    "values",
    [
        [[1.5]],
        [[-0.1]],
        [[np.nan]],
        [[np.inf]],
        [0.5],
        np.zeros((0, 3)),
        np.zeros((2, 2, 2)),
        [["a"]],
    ],
)
def test_values_outside_the_contract_are_refused(values):
    with pytest.raises(ParameterError, match="values"):
        make(values)


def test_an_image_of_another_size_is_refused():
    with pytest.raises(ImageError, match="does not fit"):
        make(np.zeros((4, 5)), np.zeros((5, 4)))


def test_json_and_text():
    heatmap = make(one_hot(4, 8, 1, 2))
    assert heatmap.to_dict() == {
        "method": "grad_cam",
        "target": "glioma",
        "peak": [2.5 / 8, 1.5 / 4],
    }
    assert repr(heatmap) == ("<Heatmap 4x8 target='glioma' method='grad_cam' peak=(0.312, 0.375)>")


def test_a_notebook_shows_the_overlay_and_the_notice():
    image = np.random.default_rng(0).integers(0, 255, (12, 10)).astype(np.uint8)
    heatmap = Heatmap(one_hot(12, 10, 3, 3), "<b>", "grad_cam", image)
    text = heatmap._repr_html_()
    assert "not a medical device" in text
    assert "&lt;b&gt;" in text
    data = text.split("base64,")[1].split('"')[0]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(shown, heatmap.overlay())
    assert "<img" in make(np.zeros((2, 2)))._repr_html_()


# ---- the overlay


@given(
    image=hnp.arrays(np.uint8, (6, 7)),
    values=hnp.arrays(np.float32, (6, 7), elements=st.floats(0, 1, width=32)),
    opacity=st.floats(0, 1),
)
@settings(max_examples=50)
def test_a_pixel_changes_only_by_its_own_value(image, values, opacity):
    picture = overlay_map(image, values, opacity=opacity)
    share = (opacity * values)[..., None]
    expected = image[..., None] * (1 - share) + colorize(values) * share
    assert np.abs(picture - expected).max() <= 0.51
    unchanged = values == 0
    np.testing.assert_array_equal(picture[unchanged], to_rgb(image)[unchanged])


def test_a_blob_lights_up_where_it_is():
    image = np.full((20, 30), 100, np.uint8)
    picture = overlay_map(image, one_hot(20, 30, 4, 25), opacity=1.0)
    assert np.argwhere((picture != 100).any(axis=-1)).tolist() == [[4, 25]]
    assert picture[4, 25].tolist() == colormap_table("inferno")[255].tolist()


def test_the_overlay_takes_another_image_and_knows_its_size():
    heatmap = make(np.zeros((4, 5)))
    with pytest.raises(ImageError, match="holds none"):
        heatmap.overlay()
    with pytest.raises(ImageError, match=r"5 x 4 pixels \(height x width\), the map 4 x 5"):
        heatmap.overlay(np.zeros((5, 4)))
    assert heatmap.overlay(np.zeros((4, 5, 3), np.uint8)).shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opacity": 1.1}, "opacity"),
        ({"opacity": np.nan}, "opacity"),
        ({"colormap": "jet"}, "use one of inferno"),
        ({"contour": 0.0}, "contour"),
        ({"contour": 1.5}, "contour"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ParameterError, match=message):
        make(np.ones((4, 5)), np.zeros((4, 5))).overlay(**options)


def test_saving_keeps_every_pixel(tmp_path):
    image = np.random.default_rng(1).integers(0, 255, (9, 8, 3)).astype(np.uint8)
    heatmap = make(one_hot(9, 8, 2, 2), image)
    path = heatmap.save(tmp_path / "map.png", contour=0.5)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), heatmap.overlay(contour=0.5))
    for ending in (".xyz", ".psd"):  # Pillow reads the second, and does not write it
        with pytest.raises(ImageError, match="no image format"):
            heatmap.save(tmp_path / f"map{ending}")


# ---- colours


@pytest.mark.parametrize("name", ["inferno", "viridis", "turbo", "gray", "hot"])
def test_the_tables_follow_matplotlibs(name):
    matplotlib = pytest.importorskip("matplotlib")
    theirs = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
    # "hot" is a simplification: it has the same ends and order of colours.
    allowed = 45 if name == "hot" else 7.5
    assert np.abs(colormap_table(name) - theirs).max() < allowed
    assert set(COLORMAPS) >= {name}


def test_colors_outside_of_the_range_are_clipped():
    np.testing.assert_array_equal(
        colorize(np.array([-1.0, 2.0])), colormap_table("inferno")[[0, 255]]
    )


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (np.array([[0, 128, 255]], np.uint8), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]]), [0, 128, 255]),
        (np.array([[0.0, 128.2, 200.0]]), [0, 128, 200]),
        (np.array([[-1.0, 0.0, 1.0]]), [0, 128, 255]),
        (np.array([[0, 2000, 4000]], np.uint16), [0, 128, 255]),
        (np.array([[-5, -5, -5]]), [0, 0, 0]),
    ],
)
def test_grey_ranges(image, expected):
    assert to_rgb(image)[0, :, 1].tolist() == expected


@pytest.mark.parametrize(
    "image", [np.zeros(3), np.zeros((2, 2, 4)), np.zeros((0, 2)), [["a"]], [[np.nan]]]
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ImageError, match="image"):
        to_rgb(image)


# ---- contour, bar, sheets


def test_the_contour_is_the_regions_rim():
    values = np.zeros((7, 7))
    values[2:5, 2:5] = 0.8
    rim = contour_mask(values, 0.5)
    assert rim.sum() == 8
    assert not rim[3, 3]
    # At the picture's border there is no outside.
    values = np.zeros((4, 4))
    values[:, :2] = 1
    assert np.argwhere(contour_mask(values, 1.0)).tolist() == [[0, 1], [1, 1], [2, 1], [3, 1]]


def test_the_color_bar_runs_from_one_down_to_zero():
    bar = color_bar(50, labels=False)
    assert bar.shape == (50, 14, 3)
    assert bar[0, 0].tolist() == colormap_table("inferno")[255].tolist()
    assert bar[-1, 0].tolist() == colormap_table("inferno")[0].tolist()
    labelled = color_bar(50)
    np.testing.assert_array_equal(labelled[:, :14], bar)
    assert labelled[:12, 14:].any()
    with pytest.raises(ParameterError):
        color_bar(0)


def test_tiles_are_neither_resized_nor_clipped():
    small, large = np.full((4, 6, 3), 50, np.uint8), np.full((8, 10, 3), 90, np.uint8)
    canvas = tile([small, large, small], columns=2, gap=3)
    assert canvas.shape == (2 * 8 + 3, 2 * 10 + 3, 3)
    assert (canvas == 50).all(axis=-1).sum() == 2 * 24
    assert (canvas == 90).all(axis=-1).sum() == 80
    np.testing.assert_array_equal(canvas[2:6, 2:8], small)
    with pytest.raises(ParameterError, match="none"):
        tile([])
    with pytest.raises(ParameterError, match="captions"):
        tile([small], captions=["a", "b"])
    with pytest.raises(ParameterError, match="columns"):
        tile([small], columns=0)


def test_a_long_caption_stays_in_its_cell():
    picture = np.zeros((20, 30, 3), np.uint8)
    canvas = tile([picture, picture], columns=2, captions=["m" * 40, ""], gap=6)
    assert canvas[:14, 1:29].any()
    assert not canvas[:14, 31:].any()


def test_a_sheet_shows_image_and_overlay_side_by_side():
    image = np.random.default_rng(0).integers(1, 255, (40, 50)).astype(np.uint8)
    heatmap = make(one_hot(40, 50, 10, 10), image)
    canvas = sheet([heatmap], captions=["one"])
    np.testing.assert_array_equal(canvas[16:56, :50], to_rgb(image))
    np.testing.assert_array_equal(canvas[16:56, 50:100], heatmap.overlay())
    assert sheet([heatmap], side_by_side=False).shape[1] == canvas.shape[1] - 50
    with pytest.raises(ImageError):
        sheet([make(np.zeros((4, 4)))])


def test_a_montage_numbers_its_slices_on_one_grey_scale():
    volume = np.zeros((5, 30, 30), np.int16)
    volume[0], volume[4] = 100, 1000
    canvas = montage(volume, columns=5)
    assert canvas.shape[1] == 5 * 30 + 4 * 4
    assert canvas[40, 15, 0] == 26  # 100 of 1000 on the scale of all slices
    assert canvas[40, 4 * 34 + 15, 0] == 255
    heatmaps = [make(np.zeros((30, 30)), one) for one in volume]
    assert montage(heatmaps, columns=3, every=2).shape[1] == 3 * 30 + 2 * 4
    with pytest.raises(ParameterError, match="none"):
        montage([])
    with pytest.raises(ParameterError, match="every"):
        montage(volume, every=0)
    with pytest.raises(ImageError, match="expected"):
        montage(np.zeros((4, 4)))
