"""Answers for images that come one after the other: order, memory, errors, threads."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mri_tumor.answers import Answering, DecisionRule
from mri_tumor.errors import ImageError
from mri_tumor.images.collection import as_collection, batches_ahead, prepared_batches
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.images.stream import Picture

RULE = DecisionRule(classes=("notumor", "tumor"), negative_class="notumor")


def brightness(values):
    """Stand in for a network: the mean grey is the probability of a tumor."""
    mean = values.mean(axis=(1, 2, 3), dtype=np.float64)[:, None] / 255
    return mean, values[:, :1, :1].astype(np.float32)


def answering(**options):
    given = {"network": brightness, "preprocessing": Preprocessing(size=32), "rule": RULE}
    return Answering(**{**given, **options})


def picture(number):
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (40, 40)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    for number in range(10):
        Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
    (tmp_path / "4.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_an_iterator_answers_like_a_list(folder):
    paths = sorted(folder.glob("*.png"))
    rows = answering(batch_size=3).assess_each(paths)
    assert list(answering(batch_size=3).assess_each(iter(paths))) == list(rows)


def test_a_stream_without_end_is_read_two_batches_ahead_at_most():
    taken = []

    def pictures():
        for number in count():
            taken.append(number)
            yield Picture(f"{number}", lambda number=number: picture(number))

    found = list(islice(answering(batch_size=4).assess_stream(pictures()), 10))
    assert [made.name for made, _ in found] == [str(number) for number in range(10)]
    assert [row.file for _, row in found] == [str(number) for number in range(10)]
    assert len(taken) <= 12 + 4


def test_bad_files_get_their_row_in_their_place(folder):
    rows = list(answering(batch_size=4).assess_each(iter(sorted(folder.glob("*.png")))))
    assert [row.status for row in rows] == ["ok"] * 4 + ["error"] + ["ok"] * 5
    assert "4.png" in rows[4].message


def test_what_goes_wrong_in_reading_one_image_is_that_image_s_row():
    def broken():
        raise MemoryError

    def gone():
        raise OSError(5, "Input/output error")

    pictures = [Picture("a", broken), Picture("b", gone), Picture("c", lambda: picture(1))]
    rows = [row for _, row in answering().assess_stream(pictures)]
    assert [row.status for row in rows] == ["error", "error", "ok"]
    assert rows[0].message.startswith("a: ")
    assert "memory" in rows[0].message
    assert "Input/output error" in rows[1].message


def test_an_error_of_the_listing_comes_through():
    def pictures():
        yield Picture("a", lambda: picture(1))
        raise ImageError("the folder went away")

    with pytest.raises(ImageError, match="went away"):
        list(answering().assess_stream(pictures()))


@settings(max_examples=20, deadline=None)
@given(batch_size=st.integers(1, 9), workers=st.integers(1, 8), order=st.permutations(range(7)))
def test_batch_size_workers_and_order_change_nothing(batch_size, workers, order):
    images = as_collection(np.stack([picture(number) for number in order]))
    options = {"batch_size": batch_size, "workers": workers}
    batches = prepared_batches(images, Preprocessing(size=32), **options)
    values = np.concatenate([batch.values for batch in batches])
    straight = as_collection(np.stack([picture(number) for number in range(7)]))
    (expected,) = prepared_batches(straight, Preprocessing(size=32))
    np.testing.assert_array_equal(values, expected.values[list(order)])


def test_many_threads_may_share_what_answers(folder):
    shared = answering(batch_size=2)
    paths = sorted(folder.glob("*.png"))
    expected = list(shared.assess_each(paths))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: list(shared.assess_each(iter(paths))), range(24)))
    assert all(rows == expected for rows in found)


def test_a_stream_that_is_left_early_cancels_what_was_ahead():
    read = []
    readers = ((lambda n=n: read.append(n) or picture(n)) for n in range(1000))
    batches = batches_ahead(readers, Preprocessing(size=32), batch_size=4)
    next(batches)
    batches.close()
    assert len(read) <= 8
