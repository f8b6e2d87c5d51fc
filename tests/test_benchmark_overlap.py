"""A benchmark says which test images the packaged weights were made with."""

from types import SimpleNamespace

import pytest

from mri_tumor import load_dataset
from mri_tumor.benchmark import running
from mri_tumor.data.splits import LeakWarning
from mri_tumor.labelled import describe_data


@pytest.fixture
def data(blob_folder):
    return load_dataset(blob_folder)


def cells(*starts):
    return [SimpleNamespace(started_from=start) for start in starts]


def test_weights_that_know_the_test_images_are_named(data, monkeypatch):
    monkeypatch.setattr(running, "images_behind", lambda _: describe_data(data.test))
    with pytest.warns(LeakWarning, match=f"{len(data.test)} of these {len(data.test)} images"):
        said = running._seen(cells("imagenet", "brain-mri"), data)
    assert "flatter" in said


def test_nothing_is_said_where_they_do_not(data, monkeypatch):
    # The packaged weights were not made with blobs.
    assert running._seen(cells("brain-mri"), data) == ""
    monkeypatch.setattr(running, "images_behind", lambda _: pytest.fail("it was read"))
    assert running._seen(cells("imagenet", "scratch"), data) == ""
