"""Splits by group, folds, leaks, and split files."""

import json
from collections import Counter
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor.data import (
    check_split,
    k_fold,
    leave_one_source_out,
    read_split,
    split_by_group,
    write_split,
)
from mri_tumor.errors import DataError, ParameterError


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)), min_size=1, max_size=120),
    st.integers(0, 5),
)
def test_no_group_crosses_and_every_class_is_everywhere(rows, seed):
    rows = rows + [
        (label, ord(label) + i * 50) for label in {row[0] for row in rows} for i in (0, 1, 2)
    ]
    labels, groups = [label for label, _ in rows], [group for _, group in rows]
    splits = split_by_group(labels, groups, seed=seed)
    assert not check_split(splits, groups)
    assert set(zip(labels, splits, strict=True)) == {
        (label, part) for label in set(labels) for part in ("train", "validation", "test")
    }


@settings(max_examples=60)
@given(st.lists(st.sets(st.sampled_from("ab"), min_size=1), min_size=3, max_size=6))
def test_a_division_is_found_wherever_there_is_one(held):
    """Groups of several classes: all divisions are tried out to know whether there is one."""
    labels, groups = zip(
        *((one, number) for number, classes in enumerate(held) for one in sorted(classes)),
        strict=True,
    )
    wanted = set(labels)

    def is_good(places):
        parts = [set(), set(), set()]
        for place, classes in zip(places, held, strict=True):
            parts[place] |= classes
        return all(part == wanted for part in parts)

    if any(map(is_good, product(range(3), repeat=len(held)))):
        splits = split_by_group(labels, groups)
        assert len(set(zip(labels, splits, strict=True))) == 3 * len(wanted)
    else:
        with pytest.raises(DataError, match="division|too few"):
            split_by_group(labels, groups)


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA], ids=str)
def test_who_is_unknown_is_nobody_elses_relative(missing):
    groups = ["p", missing, "p", missing, missing, missing]
    splits = split_by_group(["a"] * 6, groups, fractions=(0.5, 0.5, 0))
    assert splits[0] == splits[2]
    assert Counter(splits) == {"train": 3, "validation": 3}
    assert not check_split(["train", "train", "train", "test", "test", "test"], groups)
    folds = list(k_fold(["a"] * 6, groups, n_folds=5))
    assert sorted(len(test) for _, test in folds) == [1, 1, 1, 1, 2]


def test_parts_of_other_names_are_not_taken_for_no_leak():
    with pytest.raises(ParameterError, match="'Train' is none of train"):
        check_split(["Train", "test"], [0, 0])
    with pytest.raises(ParameterError, match="groups must have 2 entries"):
        check_split(["train", "test"], [0, 0, 1])


def test_fractions_and_classes_are_kept():
    labels = ["a"] * 1000 + ["b"] * 200
    groups = np.arange(1200) // 2
    found = Counter(zip(labels, split_by_group(labels, groups), strict=True))
    assert found["a", "train"] == 700
    assert found["a", "test"] == 150
    assert found["b", "validation"] == 30


def test_strata_are_kept_too():
    sources = ["x", "y"] * 100
    splits = split_by_group(["a"] * 200, range(200), strata=sources)
    assert Counter(zip(sources, splits, strict=True))["y", "test"] == 15


def test_seed_decides():
    labels, groups = ["a", "b"] * 50, range(100)
    assert split_by_group(labels, groups, seed=1) == split_by_group(labels, groups, seed=1)
    assert split_by_group(labels, groups, seed=1) != split_by_group(labels, groups, seed=2)


def test_three_groups_reach_three_parts():
    splits = split_by_group(["a"] * 12, [0] * 10 + [1, 2])
    assert splits[0] == "train"
    assert sorted(splits[10:]) == ["test", "validation"]


def test_two_parts():
    splits = split_by_group(["a"] * 10, range(10), fractions=(0.8, 0.2, 0))
    assert Counter(splits) == {"train": 8, "validation": 2}


@pytest.mark.parametrize(
    "fractions", [(0.7, 0.2, 0.2), (1.2, -0.2, 0), (0.5, 0.5), (np.nan, 0.5, 0.5)]
)
def test_bad_fractions(fractions):
    with pytest.raises(ParameterError, match="sum to 1"):
        split_by_group(["a"] * 9, range(9), fractions=fractions)


def test_class_with_one_image_says_so():
    with pytest.raises(DataError, match="class 'b' has 1 image in 1 independent group, too few"):
        split_by_group(["a"] * 9 + ["b"], range(10))
    with pytest.raises(DataError, match="class 'b' has 4 images in 2 independent groups"):
        split_by_group(["a"] * 9 + ["b"] * 4, [*range(9), 9, 9, 10, 10])


def test_leaks_are_counted():
    splits = ["train", "train", "validation", "test", "test", "", "test"]
    leaks = check_split(splits, [0, 1, 0, 0, 1, 1, 2])
    assert (leaks.groups, leaks.images) == (2, 3)
    assert leaks.pairs == {
        ("train", "validation"): 1,
        ("train", "test"): 2,
        ("validation", "test"): 1,
    }
    assert "2 of test in train" in str(leaks)
    assert not check_split(["train", "train", "test"], [0, 0, 1])


def test_folds_are_by_group_and_cover_everything():
    labels = ["a", "b"] * 30
    groups = np.arange(60) // 3
    folds = list(k_fold(labels, groups, n_folds=4))
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
    with pytest.raises(DataError, match="class 'c' has 1 image"):
        list(k_fold([*labels, "c"], [*groups, 99], n_folds=4))
    with pytest.raises(ParameterError, match="at least 2"):
        list(k_fold(labels, groups, n_folds=1))


def test_source_left_out_takes_its_relatives_along():
    sources = ["x", "x", "y", "y", "z"]
    folds = {
        name: (train.tolist(), test.tolist())
        for name, train, test in leave_one_source_out(sources, [0, 1, 1, 2, 3])
    }
    assert folds["x"] == ([3, 4], [0, 1])  # image 2 is a copy of image 1
    assert folds["z"] == ([0, 1, 2, 3], [4])
    with pytest.raises(DataError, match="at least two sources; found x"):
        list(leave_one_source_out(["x", "x"], [0, 1]))


@dataclass(frozen=True)
class Images:
    """What a split file is about."""

    paths: tuple[str, ...]
    content_hashes: tuple[str, ...]
    file_hashes: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "test", "train", "test", "")
    labels: tuple[str, ...] = ("a", "a", "a", "b", "b")
    fingerprint: str = "f"


@pytest.fixture
def images():
    names = ("/d/a/1.png", "/d/a/2.png", "/d/a/3.png", "/d/b/1.png", "/d/b/2.png")
    # The second and the third are the same image in two parts.
    return Images(names, ("p1", "p2", "p2", "p4", "p5"), ("f1", "f2", "f2", "f4", "f5"))


def test_split_file_round_trip(images, tmp_path):
    write_split(tmp_path / "split.json", images)
    assert read_split(tmp_path / "split.json", images) == images.splits
    document = json.loads((tmp_path / "split.json").read_text())
    assert document["images"][0]["path"] == "a/1.png"
    assert "/d/" not in (tmp_path / "split.json").read_text()


def test_files_are_known_by_what_they_hold(images, tmp_path):
    write_split(tmp_path / "split.json", images)
    # Elsewhere, in another order, renamed, and one saved again without loss.
    order = [4, 2, 1, 0, 3]
    moved = Images(
        ("/e/x.png", "/e/a/3.png", "/e/a/2.png", "/e/y.png", "/e/b/1.png"),
        tuple(images.content_hashes[i] for i in order),
        ("new", *(images.file_hashes[i] for i in order[1:])),
    )
    assert read_split(tmp_path / "split.json", moved) == ("", "train", "test", "train", "test")


def test_what_changed_is_named(images, tmp_path):
    write_split(tmp_path / "split.json", images)
    other = Images(
        ("/d/a/1.png", "/d/a/2.png", "/d/a/3.png", "/d/b/1.png", "/d/b/9.png"),
        ("other", "p2", "p2", "p4", "p9"),
        ("other", "f2", "f2", "f4", "f9"),
    )
    with pytest.raises(DataError) as caught:
        read_split(tmp_path / "split.json", other)
    assert "1 changed (a/1.png); 1 new (/d/b/9.png); 1 missing (b/2.png)" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no split file of mri-tumor"),
        ('{"format": "mri-tumor-split", "version": 99}', "newer release"),
        ('{"format": "mri-tumor-split", "version": 1, "images": [{"path": "a"}]}', "damaged"),
    ],
)
def test_bad_split_files(images, tmp_path, text, message):
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_split(tmp_path / "split.json", images)


def test_missing_split_file(images, tmp_path):
    with pytest.raises(DataError, match=r"'given', 'new', None or a file of write_split"):
        read_split(tmp_path / "nowhere.json", images)
    with pytest.raises(DataError, match="cannot be written"):
        write_split(tmp_path / "no folder" / "split.json", images)
