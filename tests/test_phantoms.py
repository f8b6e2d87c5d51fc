"""Synthetic slices: the same from the same seed, and a tumor only where the mask says so."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import distance_transform_edt

from mri_tumor.errors import ParameterError
from mri_tumor.labels import BINARY, FOUR
from mri_tumor.phantoms import PLANES, SEQUENCES, make_phantoms
from mri_tumor.phantoms.curves import closed_curve, mirrored, open_curve
from mri_tumor.phantoms.fields import both, edge, smooth_noise
from mri_tumor.phantoms.slices import draw_kind, stream
from mri_tumor.phantoms.tumors import REACH

TUMORS = ("glioma", "meningioma", "pituitary")


@pytest.fixture(scope="module")
def sets():
    """The same 24 slices with every one of the four kinds."""
    return {kind: make_phantoms(24, classes=(kind,), size=96, seed=3) for kind in FOUR}


def test_shapes_and_types():
    p = make_phantoms(5, size=64)
    assert p.images.shape == p.masks.shape == (5, 64, 64)
    assert p.images.dtype == np.uint8
    assert p.masks.dtype == np.bool_
    assert len(p) == len(p.labels) == len(p.planes) == len(p.sequences) == len(p.skulls) == 5
    assert p.paths == p.mask_paths == ()
    assert "synthetic" in repr(p)


def test_same_seed_same_pixels_other_seed_others():
    a, b, c = (make_phantoms(6, size=64, seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(a.images, b.images)
    np.testing.assert_array_equal(a.masks, b.masks)
    assert (a.images != c.images).any(axis=(1, 2)).all()


@settings(max_examples=6, deadline=None)
@given(few=st.integers(1, 6), more=st.integers(1, 6), seed=st.integers(0, 2**40))
def test_image_does_not_depend_on_n(few, more, seed):
    a = make_phantoms(few, size=32, seed=seed)
    b = make_phantoms(few + more, size=32, seed=seed)
    np.testing.assert_array_equal(a.images, b.images[:few])
    np.testing.assert_array_equal(a.masks, b.masks[:few])
    assert a.labels.tolist() == b.labels[:few].tolist()


def test_all_images_differ():
    images = make_phantoms(24, size=48).images.astype(int)
    assert all(np.abs(a - b).mean() > 1 for a, b in pairwise(images))


@pytest.mark.parametrize(
    "classes", [FOUR, BINARY, ("glioma",), ("pituitary", "notumor", "glioma")]
)
@pytest.mark.parametrize("n", [1, 12, 13])
def test_classes_are_balanced(classes, n):
    p = make_phantoms(n, classes=classes, size=32)
    counts = [int((p.labels == name).sum()) for name in classes]
    assert sum(counts) == n
    assert max(counts) - min(counts) <= 1
    assert p.classes == classes


def test_binary_tumors_are_of_all_kinds():
    p = make_phantoms(40, classes=BINARY, size=32)
    assert set(p.labels) == set(BINARY)
    assert set(p.kinds[p.labels == "tumor"]) == set(TUMORS)
    assert set(p.kinds[p.labels == "notumor"]) == {"notumor"}


def test_level_tells_nothing_of_a_binary_class():
    # Levels and kinds alone, without the drawing: 4000 images.
    kinds = np.array([draw_kind(5, i) for i in range(4000)])
    levels = np.array([stream(5, i, 1).random(4)[3] < 0.5 for i in range(4000)])
    for kind in TUMORS:  # a third each, within four standard errors
        assert abs((kinds == kind).mean() - 1 / 3) < 0.03
    assert levels[kinds == "pituitary"].all()
    p = make_phantoms(30, classes=BINARY, size=32, seed=5)
    assert p.sellas.tolist() == levels[:30].tolist()


def test_masks_are_empty_without_a_tumor_and_never_with_one(sets):
    assert not sets["notumor"].masks.any()
    for kind in TUMORS:
        share = sets[kind].masks.mean(axis=(1, 2))
        assert share.min() > 0.005, kind
        assert share.max() < 0.30, kind


@pytest.mark.parametrize("kind", TUMORS)
def test_tumor_changes_the_image_at_the_mask_and_not_far_from_it(sets, kind):
    sick, well = sets[kind], sets["notumor"]
    # A pituitary tumor moves the slice to the sella: compare where it was there already.
    same = np.flatnonzero(sick.sellas == well.sellas)
    assert len(same) > 5
    looked_at = 0.0
    for i in same:
        change = np.abs(sick.images[i].astype(int) - well.images[i])
        mask = sick.masks[i]
        assert change[mask].mean() > 8
        # The push ends at twice the radius, which is the mask's half width or less.
        rows, columns = np.nonzero(mask)
        half = max(np.ptp(rows), np.ptp(columns)) / 2 + 1
        far = distance_transform_edt(~mask) > (REACH - 1) * 1.3 * half + 3
        assert not change[far].any()
        looked_at += far.mean()
        # More than a third of all change lies within the mask, which is far smaller.
        assert change[mask].sum() > change.sum() / 3
    assert looked_at > 0.2 * len(same)


@pytest.mark.parametrize("kind", TUMORS)
def test_scan_is_the_same_for_every_kind(sets, kind):
    sick, well = sets[kind], sets["notumor"]
    assert sick.planes.tolist() == well.planes.tolist()
    assert sick.sequences.tolist() == well.sequences.tolist()
    assert sick.skulls.tolist() == well.skulls.tolist()
    # The image's corner holds noise alone.
    np.testing.assert_array_equal(sick.images[:, :4, :4], well.images[:, :4, :4])


def test_gliomas_lie_deeper_than_meningiomas():
    options = {"size": 96, "seed": 8, "planes": ("axial",), "skull": False, "sequences": ("T1",)}
    well = make_phantoms(30, classes=("notumor",), **options)
    gaps = {}
    for kind in ("glioma", "meningioma"):
        p = make_phantoms(30, classes=(kind,), **options)
        gaps[kind] = []
        for i in range(30):
            # Around a stripped brain is noise alone, dark even where it is blurred.
            small = Image.fromarray(well.images[i]).reduce(4)
            outside = np.asarray(small.resize((96, 96))) < 18
            away = distance_transform_edt(~outside)
            gaps[kind].append(away[p.masks[i]].mean())
    # Mean distance of a tumor's pixels from the brain's border, in pixels.
    assert np.median(gaps["meningioma"]) < np.median(gaps["glioma"])


def test_pituitary_tumors_lie_on_the_midline_at_the_sella():
    p = make_phantoms(30, classes=("pituitary",), size=96, planes=("axial", "coronal"), seed=2)
    assert p.sellas.all()
    for mask in p.masks:
        column = np.nonzero(mask)[1].mean()
        assert abs(column - 47.5) < 16


def test_options_choose_planes_sequences_and_skull():
    p = make_phantoms(30, size=32, planes=("coronal",), sequences=("T2", "T1"), skull=False)
    assert set(p.planes) == {"coronal"}
    assert set(p.sequences) == {"T1", "T2"}
    assert not p.skulls.any()
    assert make_phantoms(5, size=32, skull=True).skulls.all()


def test_everything_is_drawn_by_default():
    p = make_phantoms(120, size=32)
    assert set(p.planes) == set(PLANES)
    assert set(p.sequences) == set(SEQUENCES)
    assert 0.6 < p.skulls.mean() < 0.9


def test_fluid_is_dark_on_t1_and_bright_on_t2():
    one, two = (
        make_phantoms(
            12, classes=("notumor",), size=96, planes=("axial",), sequences=(q,), skull=False
        ).images.astype(float)
        for q in ("T1", "T2")
    )
    # Sulci and ventricles are the ends of the range: T2's bright ones are T1's dark ones.
    for a, b in zip(one, two, strict=True):
        brain = (a > 40) | (b > 40)
        assert np.corrcoef(a[brain], b[brain])[0, 1] < 0.2


@pytest.mark.parametrize("kind", FOUR)
@pytest.mark.parametrize("size", [65, 97, 512])
def test_sizes_show_the_same_scene(kind, size):
    p = make_phantoms(1, classes=(kind,), size=size, seed=6)
    q = make_phantoms(1, classes=(kind,), size=128, seed=6)
    assert p.images.shape == (1, size, size)
    small = [
        np.asarray(Image.fromarray(s.images[0]).resize((16, 16), Image.Resampling.BOX), float)
        for s in (p, q)
    ]
    assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.9


def test_folder_round_trip(tmp_path):
    p = make_phantoms(6, size=48, seed=9, folder=tmp_path / "set")
    assert sorted(f.name for f in (tmp_path / "set").iterdir()) == sorted(set(p.labels))
    assert len(set(p.paths)) == len(set(p.mask_paths)) == 6
    for i in range(6):
        assert p.paths[i].parent.name == p.mask_paths[i].parent.name == p.labels[i]
        assert p.paths[i].name == p.mask_paths[i].name == f"synthetic_{i:04d}.png"
        with Image.open(p.paths[i]) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), p.images[i])
            assert image.text["phantom:synthetic"] == "yes"
            assert image.text["phantom:label"] == p.labels[i]
            assert "not a scan of any person" in image.text["Description"]
            assert "not a medical device" in image.text["Description"]
        with Image.open(p.mask_paths[i]) as image:
            np.testing.assert_array_equal(np.asarray(image) == 255, p.masks[i])
    # No mask where a reader of the folder would take it for an image.
    assert len(list((tmp_path / "set").rglob("*.png"))) == 6
    assert len(list((tmp_path / "set-masks").rglob("*.png"))) == 6


def test_folder_holds_what_memory_holds(tmp_path):
    p = make_phantoms(4, size=32, seed=1, folder=str(tmp_path))
    np.testing.assert_array_equal(p.images, make_phantoms(4, size=32, seed=1).images)
    again = make_phantoms(4, size=32, seed=1, folder=tmp_path / "glioma" / "deeper")
    assert [a.read_bytes() for a in p.paths] == [b.read_bytes() for b in again.paths]


@pytest.mark.parametrize("name", ["set", "set-masks"])
def test_folder_must_be_empty(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("keep")
    with pytest.raises(ParameterError, match=rf"{name} is not empty.*new folder"):
        make_phantoms(1, size=32, folder=tmp_path / "set")
    assert [f.name for f in tmp_path.rglob("*")].count("mine.txt") == 1
    assert not list(tmp_path.rglob("*.png"))


def test_folder_must_not_be_a_file(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(ParameterError, match="is a file"):
        make_phantoms(1, size=32, folder=tmp_path / "set")
    with pytest.raises(ParameterError, match="cannot be made"):
        make_phantoms(1, size=32, folder=tmp_path / "set" / "below")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, r"n=0 is out of range.*at least 1"),
        ({"n": 2.0}, r"n=2\.0 is not an integer"),
        ({"n": True}, r"n=True is not an integer"),
        ({"size": 16}, r"size=16 is out of range.*32 to 1024"),
        ({"size": 5000}, r"size=5000 is out of range"),
        ({"seed": -1}, r"seed=-1 is out of range"),
        ({"classes": ("glioma", "cat")}, r"does not know 'cat'.*'pituitary'"),
        ({"classes": ()}, r"is empty"),
        ({"classes": ("glioma", "glioma")}, r"repeats a name"),
        ({"classes": "glioma"}, r"no sequence of names"),
        ({"classes": None}, r"no sequence of names"),
        ({"classes": ("tumor", "glioma")}, r"'tumor' stands for all three"),
        ({"planes": ("oblique",)}, r"planes=.*does not know 'oblique'.*'axial'"),
        ({"sequences": ("DWI",)}, r"sequences=.*does not know 'DWI'.*'FLAIR'"),
        ({"skull": "no"}, r"skull='no' is not True, False or None"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ParameterError, match=message):
        make_phantoms(**{"n": 1, "size": 32, **options})


def test_needs_numpy_and_pillow_only():
    code = (
        "import sys; from mri_tumor.phantoms import make_phantoms; make_phantoms(1, size=32);"
        "heavy = {'tensorflow', 'keras', 'scipy', 'sklearn', 'pandas', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_closed_curve_passes_through_its_points():
    square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    curve = closed_curve(square)
    np.testing.assert_allclose(curve[::5], square)
    # A Catmull-Rom piece midway: -1/16, 9/16, 9/16, -1/16 of its four points.
    fine = closed_curve(square, fine=True)
    np.testing.assert_allclose(fine[4], [0.5, -0.125])


def test_open_curve_starts_and_ends_at_its_ends():
    path = [(0.0, 0.0), (1.0, 2.0), (3.0, 1.0)]
    curve = open_curve(path)
    np.testing.assert_allclose(curve[[0, 5, -1]], path)
    np.testing.assert_allclose(open_curve(path[:2]), path[:2])


def test_mirrored_does_not_double_the_midline():
    assert mirrored([(0.0, -1.0), (2.0, 0.0), (0.0, 1.0)]) == [
        (0.0, -1.0),
        (2.0, 0.0),
        (0.0, 1.0),
        (-2.0, 0.0),
    ]


def test_edge_and_both():
    distance = np.array([-1.0, -0.25, 0.0, 0.25, 1.0], np.float32)
    np.testing.assert_allclose(edge(distance, 1.0), [0, 0.25, 0.5, 0.75, 1])
    a, b = np.float32([[3.0, 0.0]]), np.float32([[-1.0, 0.0]])
    np.testing.assert_allclose(both(a, b, 0.0), [[-1, 0]])
    np.testing.assert_allclose(both(a, b, 0.5)[0, 1], -0.25)


def test_smooth_noise_is_smooth_and_band_passed():
    rng = np.random.default_rng(0)
    slow, band = (smooth_noise(rng, 12, 96, band=b) for b in (False, True))
    for field in (slow, band):
        assert field.shape == (96, 96)
        assert np.abs(np.diff(field, axis=0)).mean() < 0.3 * field.std()
    blocks = [f.reshape(4, 24, 4, 24).mean(axis=(1, 3)).std() for f in (slow, band)]
    assert blocks[1] < blocks[0] / 2
