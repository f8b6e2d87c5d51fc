"""What the weights that ship learn from: `scripts/brain_mri/parts.py` and `rows.py`."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts" / "brain_mri"))
from parts import appearance_clusters, make_parts
from rows import plan_rows

CLASSES = ("glioma", "meningioma", "notumor", "pituitary")


class Table(SimpleNamespace):
    def __len__(self):
        return len(self.labels)


def archive(n=80):
    """Return a data set of pairs of near-copies, all classes in turn."""
    labels = [CLASSES[(i // 2) % 4] for i in range(n)]
    return Table(labels=labels, groups=[i // 2 for i in range(n)], sources=["kaggle"] * n)


def with_others(data, groups):
    n = len(groups)
    return Table(
        labels=data.labels + ["notumor"] * n,
        groups=data.groups + groups,
        sources=data.sources + ["averages"] + ["one person"] * (n - 1),
    )


def divide(data, leave_out=None, unseen=()):
    clusters = np.where(np.array(data.labels) == "notumor", np.arange(len(data)) // 2 % 3, -1)
    clusters[np.array(data.sources) != "kaggle"] = -1
    return make_parts(
        data,
        leave_out=leave_out,
        boxed={i for i in range(80) if i % 16 < 8},
        clusters=clusters,
        validation=0.2,
        test=0.2,
        seed=0,
        unseen=unseen,
    )


@pytest.mark.parametrize("leave_out", [None, "figshare", "kaggle"])
def test_averages_and_people_change_nothing_about_the_archives(leave_out):
    data = archive()
    plain, wide = (divide(one, leave_out) for one in (data, with_others(data, [90, 91, 91])))
    for part in ("validation", "test", "away"):
        np.testing.assert_array_equal(getattr(plain, part), getattr(wide, part))
    assert set(wide.train) - set(plain.train) == {80, 81, 82}
    assert set(plain.train) <= set(wide.train)


def test_a_person_who_is_a_copy_of_what_judges_is_not_learned_from():
    data = archive()
    plain = divide(data)
    judging, learned = (data.groups[part[0]] for part in (plain.validation, plain.train))
    wide = divide(with_others(data, [judging, learned, 90]))
    assert set(wide.train) - set(plain.train) == {81, 82}


def test_a_person_who_is_left_out_is_tested_on_and_no_copy_of_him_is_learned_from():
    plain = divide(archive())
    his, other = (archive().groups[i] for i in (plain.train[0], plain.train[-1]))
    parts = divide(with_others(archive(), [90, his, 91]), unseen=["one person"])
    assert set(parts.away) == {81, 82}
    groups = np.array([*archive().groups, 90, his, 91])
    assert {his, 91}.isdisjoint(groups[parts.train])
    assert {other, 90} <= set(groups[np.concatenate([parts.train, parts.test, parts.validation])])


@pytest.mark.parametrize("leave_out", [None, "figshare", "kaggle"])
def test_no_near_copy_is_on_two_sides(leave_out):
    data = with_others(archive(), [3, 90])
    parts = divide(data, leave_out)
    groups = np.array(data.groups)
    for part in (parts.validation, parts.test, parts.away):
        assert not set(groups[parts.train]) & set(groups[part])


def test_healthy_slices_cluster_as_if_there_were_no_others():
    data, rng = archive(), np.random.default_rng(0)
    looks = rng.normal(size=(len(data), 4)) + np.arange(len(data))[:, None] // 2 % 3 * 10
    averages = rng.normal(size=(6, 4)) + 1000
    plain = appearance_clusters(data, looks, n=3, seed=0)
    wide = appearance_clusters(
        with_others(data, [90, 91, 92, 93, 94, 95]),
        np.concatenate([looks, averages]),
        n=3,
        seed=0,
    )
    np.testing.assert_array_equal(wide[:80], plain)
    assert set(wide[80:]) == {-1}
    assert set(plain[np.array(data.labels) == "notumor"]) == {0, 1, 2}


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_of_the_archives_are_the_same_whoever_comes_after(seed):
    data, boxes = archive(), {0: (0.5, 0.5, 0.2, 0.2), 4: (0.4, 0.5, 0.3, 0.2)}
    alone = plan_rows(data, boxes, seed=seed)
    one, two = (plan_rows(with_others(data, [90] * n), boxes, seed=seed) for n in (3, 5))
    n_archives, n_one = len(alone.image), len(one.image)
    for name in ("image", "kind", "donor"):
        first, second, third = (getattr(rows, name) for rows in (alone, one, two))
        np.testing.assert_array_equal(second[:n_archives], first)
        # The average's rows too: a person more only adds rows, and takes none away.
        average = second[n_archives:][one.image[n_archives:] == 80]
        np.testing.assert_array_equal(third[n_archives : n_archives + len(average)], average)
    assert n_archives < n_one < len(two.image)
    assert set(one.image[n_archives:]) == {80, 81, 82}
