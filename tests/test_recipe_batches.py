"""Batches of drawn rows: `scripts/brain_mri/whole.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts" / "brain_mri"))
from whole import PictureBatches


def test_an_epoch_has_each_row_once_and_mirrors_pictures_with_their_covers():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (n, 14, 14), dtype=np.uint8) for n in (8, 8)]
    cover = [rng.random((8, 7, 7)).astype(np.float16) for _ in pictures]
    rows = [np.stack([np.full(8, i), np.arange(8)], axis=1) for i in range(2)]
    weights = [np.arange(8, dtype=np.float32) + 8 * i for i in range(2)]
    targets = [np.eye(8, dtype=np.float32)] * 2
    batches = PictureBatches(pictures, cover, rows, targets, weights, batch=4, seed=3)
    n_mirrored = 0
    for epoch in range(4):
        batches.start_epoch(epoch)
        taken = [batches[i] for i in range(len(batches))]
        order = np.concatenate([weight for *_, weight in taken]).astype(int)
        assert sorted(order) == list(range(8 * (epoch % 2), 8 * (epoch % 2) + 8))
        for (values, cells), target, weight in taken:
            for i, which in enumerate(weight.astype(int)):
                table, row = divmod(which, 8)
                assert target[i].argmax() == row
                mirrored = not (values[i] == pictures[table][row]).all()
                step = -1 if mirrored else 1
                np.testing.assert_array_equal(values[i], pictures[table][row][:, ::step])
                np.testing.assert_array_equal(cells[i], cover[table][row][:, ::step])
                n_mirrored += mirrored
    assert 4 < n_mirrored < 28
    (first, _), *_ = batches[0]
    batches.start_epoch(3)
    np.testing.assert_array_equal(batches[0][0][0], first)
