"""Which images a model has seen before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor import classifier
from mri_tumor.bundle import packaged_bundle, read_bundle
from mri_tumor.data import LeakWarning
from mri_tumor.data.overlap import SeenImages, prints_of
from mri_tumor.errors import DataError
from mri_tumor.images.collection import as_collection
from mri_tumor.labelled import describe_data, images_behind
from mri_tumor.phantoms import make_phantoms


@pytest.fixture(scope="module")
def slices():
    """Slices of different patients, shape (20, 96, 96)."""
    return make_phantoms(20, size=96, seed=3).images


def seen(images):
    return SeenImages.of([prints_of(as_collection(images))])


def test_identical_turned_and_mirrored_copies_are_found(slices):
    model = seen(slices[:10])
    same = model.overlap(prints_of(as_collection(slices[2:4])))
    assert (same.n_images, same.n_identical, same.n_near) == (2, 2, 2)
    turned = [np.rot90(slices[2]), slices[3][:, ::-1], np.rot90(slices[4], 2).T]
    found = model.overlap(prints_of(as_collection([np.ascontiguousarray(x) for x in turned])))
    assert (found.n_identical, found.n_near) == (0, 3)
    assert found
    assert "flatter" in str(found)
    others = model.overlap(prints_of(as_collection(slices[10:])))
    assert (others.n_identical, others.n_near) == (0, 0)
    assert not others


@settings(max_examples=20, deadline=None)
@given(mine=st.sets(st.integers(0, 19)), asked=st.lists(st.integers(0, 19), max_size=8))
def test_it_counts_what_is_in_both(slices, mine, asked):
    prints = prints_of(as_collection(slices))
    part = (lambda rows: ([prints[0][i] for i in rows], prints[1][list(rows)]))  # fmt: skip
    found = SeenImages.of([part(sorted(mine))]).overlap(part(asked))
    assert found.n_identical == found.n_near == sum(i in mine for i in asked)


def test_images_without_contrast_are_like_none_but_themselves():
    black, white = np.zeros((1, 40, 40), np.uint8), np.full((1, 40, 40), 255, np.uint8)
    model = seen(black)
    assert model.overlap(prints_of(as_collection(black))).n_near == 1
    assert model.overlap(prints_of(as_collection(white))).n_near == 0


def test_json_round_trip_and_adding_up(slices):
    first, rest = describe_data(slices[:5]), describe_data(slices[5:8])
    both = describe_data(slices[5:8], known=first)
    assert both == describe_data(slices[:5], (slices[5:8], ["x"] * 3))
    model = SeenImages.from_dict(both)
    assert model.overlap(prints_of(as_collection(slices[:9]))).n_identical == 8
    assert model.to_dict() == both != rest
    assert not SeenImages.from_dict({}).overlap(prints_of(as_collection(slices)))
    with pytest.raises(DataError, match="damaged"):
        SeenImages.from_dict({"seen_alike": "AAAA"})


def test_hashes_of_a_bundle_from_before_near_copies_were_kept(slices):
    names, _ = prints_of(as_collection(slices[:3]))
    model = SeenImages.from_dict({"seen": [name[:16] for name in names]})
    assert model.overlap(prints_of(as_collection(slices[:6]))).n_near == 3


def test_files_that_cannot_be_read_are_left_out(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    names, hashes = prints_of(as_collection([tmp_path / "broken.png"]))
    assert (len(names), hashes.shape) == (0, (0, 8, 32))


def test_evaluating_on_training_images_warns(fitted, blob_images):
    images, labels = blob_images
    with pytest.warns(LeakWarning, match="24 of these 24 images"):
        fitted.evaluate(images, labels, n_bootstrap=0)
    turned = np.ascontiguousarray(images[:, ::-1])
    with pytest.warns(LeakWarning, match=r"\(0 with identical pixels\)"):
        fitted.evaluate(turned, labels, n_bootstrap=0)


def test_a_model_knows_the_images_behind_the_weights_that_it_starts_from(
    tiny, slices, blob_images, monkeypatch
):
    monkeypatch.setattr(classifier, "images_behind", lambda _: describe_data(slices[:10]))
    model = classifier.TumorClassifier("tiny", weights=None, epochs=1, n_variants=1)
    model.fit(*blob_images)
    found = model.overlap(slices)
    assert (found.n_images, found.n_identical) == (20, 10)
    assert model.overlap(blob_images[0]).n_identical == 24


def test_the_images_behind_the_weights_that_ship_are_known():
    packaged = read_bundle(packaged_bundle("brain-mri")).metadata["data"]
    assert images_behind("brain-mri") == packaged
    assert images_behind("imagenet") == images_behind(None) == {}
