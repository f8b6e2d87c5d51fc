"""Batches of rows that the packaged model learns from: `scripts/brain_mri/train.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts" / "brain_mri"))
from train import RowBatches

N = 70


def batches_of(*, mirrored, seed):
    rng = np.random.default_rng(0)
    shape = (N, 2, 4, 4, 3) if mirrored else (N, 4, 4, 3)
    features = rng.random(shape).astype(np.float16)
    cover = rng.random((N, 7, 7)).astype(np.float16)
    weights = np.arange(N, dtype=np.float32)
    rows = np.arange(10, N)
    return RowBatches(features, rows, np.eye(N), weights, seed=seed, cover=cover)


def rows_of(batches):
    """Yield for each row of an epoch its features, cover, target and weight."""
    for i in range(len(batches)):
        (features, cover), targets, weights = batches[i]
        yield from zip(features, cover, targets, weights, strict=True)


def test_an_epoch_has_each_row_once_with_the_cover_of_its_side():
    batches = batches_of(mirrored=True, seed=3)
    n_mirrored, orders = 0, []
    for epoch in range(3):
        batches.start_epoch(epoch)
        orders.append([])
        for features, cover, target, weight in rows_of(batches):
            row = int(weight)
            orders[-1].append(row)
            assert target.argmax() == row
            side = int(not (features == batches.features[row, 0]).all())
            np.testing.assert_array_equal(features, batches.features[row, side])
            step = -1 if side else 1
            np.testing.assert_array_equal(cover, batches.cover[row][:, ::step])
            n_mirrored += side
        assert sorted(orders[-1]) == list(range(10, N))
    assert orders[0] != orders[1]
    assert 60 < n_mirrored < 120  # of 180


def test_the_same_epoch_is_drawn_again_the_same():
    batches = batches_of(mirrored=True, seed=3)
    batches.start_epoch(1)
    first = [features for features, *_ in rows_of(batches)]
    batches.start_epoch(2)
    batches.start_epoch(1)
    np.testing.assert_array_equal(first, [features for features, *_ in rows_of(batches)])


def test_nothing_is_mirrored_where_order_is_kept():
    batches = batches_of(mirrored=True, seed=None)
    features = np.stack([features for features, *_ in rows_of(batches)])
    np.testing.assert_array_equal(features, batches.features[10:, 0])


def test_features_of_plain_images_alone_are_taken_as_they_are():
    batches = batches_of(mirrored=False, seed=3)
    for features, cover, _, weight in rows_of(batches):
        np.testing.assert_array_equal(features, batches.features[int(weight)])
        np.testing.assert_array_equal(cover, batches.cover[int(weight)])
