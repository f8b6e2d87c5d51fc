"""What a batch holds does not depend on how many share it, and no image is with two of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor.errors import ParameterError
from mri_tumor.training.lanes import GAP, Lanes


def lanes(n_images, n_replicas=1, *, n_variants=2, batch_size=4, seed=0):
    return Lanes(
        n_images=n_images, n_variants=n_variants, batch_size=batch_size,
        n_replicas=n_replicas, seed=seed,
    )  # fmt: skip


@st.composite
def shared(draw):
    """Draw settings of which each replica gets an image."""
    batch_size, n_replicas = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    n_images, n_variants = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    try:
        return lanes(n_images, n_replicas, n_variants=n_variants, batch_size=batch_size)
    except ParameterError:
        return lanes(n_images, 1, n_variants=n_variants, batch_size=batch_size)


@settings(deadline=None)
@given(shared(), st.integers(0, 3))
def test_each_variant_of_each_image_comes_once_in_an_epoch(made, epoch):
    rows = made.order(epoch, range(made.n_replicas))
    assert rows.shape == (made.steps, made.width * made.n_replicas)
    assert sorted(rows[rows != GAP]) == list(range(made.n_images * made.n_variants))
    assert made.counts(epoch).tolist() == (rows != GAP).sum(axis=1).tolist()
    assert made.counts(epoch).max() <= made.batch_size


@settings(deadline=None)
@given(shared(), st.integers(0, 3))
def test_batches_are_those_of_one_worker(made, epoch):
    alone = lanes(made.n_images, 1, n_variants=made.n_variants, batch_size=made.batch_size).order(
        epoch, range(1)
    )
    parts = [made.order(epoch, range(i, i + 1)) for i in range(made.n_replicas)]
    together = np.concatenate(parts, axis=1)
    np.testing.assert_array_equal(together[:, : made.batch_size], alone)
    assert (together[:, made.batch_size :] == GAP).all()


@settings(deadline=None)
@given(shared())
def test_each_image_is_with_one_worker(made):
    owned = [made.images_of(range(i, i + 1)) for i in range(made.n_replicas)]
    assert sorted(np.concatenate(owned)) == list(range(made.n_images))
    for replica, own in enumerate(owned):
        for epoch in (0, 1):
            rows = made.order(epoch, range(replica, replica + 1))
            assert set(rows[rows != GAP] % made.n_images) == set(own)


def test_epochs_and_seeds_have_orders_of_their_own():
    made = lanes(20)
    assert not np.array_equal(made.order(0, range(1)), made.order(1, range(1)))
    assert not np.array_equal(made.order(0, range(1)), lanes(20, seed=1).order(0, range(1)))
    np.testing.assert_array_equal(made.order(1, range(1)), lanes(20).order(1, range(1)))


def test_gaps_are_spread_over_the_batches():
    # 9 images in 4 places: three places have two of them, and one has three.
    counts = lanes(9, n_variants=8, seed=2).counts(0)
    assert counts.sum() == 72
    assert len(counts) == 24
    assert counts.min() >= 1


@pytest.mark.parametrize(("n_images", "batch_size"), [(3, 8), (100, 3)])
def test_replicas_without_an_image_are_refused(n_images, batch_size):
    with pytest.raises(ParameterError, match="4 replicas cannot share batches"):
        lanes(n_images, 4, batch_size=batch_size)
