"""The scripted pictures that are no scan: two disjoint parts, the same from a seed."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from non_mri import KINDS, missing, pictures, scrambles
from non_mri.anatomy import OPEN_DICOM
from non_mri.photos import FIT, HELD_OUT, SKY

from mri_tumor.gate import Gate, Limits, describe_all
from mri_tumor.images import as_grey_image


@pytest.fixture(scope="module")
def one_of_each():
    return list(pictures(per_kind=1))


def test_every_kind_that_can_be_made_is_there_once(one_of_each):
    assert [picture.kind for picture in one_of_each] == [
        kind for kind in KINDS if kind not in missing()
    ]
    for picture in one_of_each:
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.ndim == 2 or picture.pixels.shape[2] == 3
        assert min(picture.pixels.shape[:2]) >= 16, picture.name


def test_parts_are_disjoint_and_large_enough():
    counts = {"fit": 0, "held_out": 0}
    for kind in KINDS.values():
        counts[kind.part] += kind.count
    assert counts["fit"] >= 400
    assert counts["held_out"] >= 500
    assert not set(FIT) & set(HELD_OUT)
    assert not set(FIT) & set(SKY)
    files = [name for _, names in OPEN_DICOM.values() for name in names]
    assert len(files) == len(set(files))


def test_a_seed_gives_the_same_pictures_and_another_seed_others():
    kinds = ("soft_clouds", "outline", "document", "voronoi")
    first = {p.name: p.pixels for p in pictures(kinds=kinds, per_kind=2, seed=3)}
    again = {p.name: p.pixels for p in pictures(kinds=kinds, per_kind=2, seed=3)}
    other = {p.name: p.pixels for p in pictures(kinds=kinds, per_kind=2, seed=4)}
    assert len(first) == 8
    for name, pixels in first.items():
        np.testing.assert_array_equal(pixels, again[name])
        assert not np.array_equal(pixels, other[name])


def test_blank_and_noise_are_refused_by_rules_alone():
    gate = Gate(limits=Limits())
    plain = pictures(kinds=("black", "flat", "white", "uniform_noise"), per_kind=6)
    images = [as_grey_image(p.pixels, name=p.name) for p in plain]
    assert all(gate.check_described(describe_all(images), np.zeros((24, 1), np.float32)))


def test_slices_are_taken_apart():
    images = [np.full((40, 30), level, np.uint8) for level in (10, 20, 30)]
    kinds = {picture.kind for picture in scrambles("fit", images, per_kind=2)}
    assert kinds == {"tiles", "detail", "sheet"}
    for picture in scrambles("held_out", images, per_kind=2):
        assert picture.kind == "unrolled"
        assert set(np.unique(picture.pixels)) <= {10, 20, 30}
