"""A training that is stopped anywhere ends as if it had not been."""

import errno
import os

import numpy as np
import pytest

from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import CheckpointError
from mri_tumor.training.checkpoint import Checkpoint, State

# Stated in the docs: a resumed training differs by rounding only, if at all.
TOLERANCE = 1e-5


def made(**changes):
    options = {
        "weights": None, "epochs": 3, "finetune_epochs": 2, "finetune_layers": 1, "seed": 4,
        "n_variants": 2, "learning_rate": 0.01, **changes,
    }  # fmt: skip
    return TumorClassifier("tiny", **options)


class Killed(BaseException):
    """Stands for the end of the process."""


def stop_at(monkeypatch, count):
    """Let the process end behind, or in the middle of, the count-th time a state is kept."""
    seen = []
    keep = Checkpoint.keep

    def counted(self, state):
        keep(self, state)
        seen.append(state)
        if len(seen) == count:
            raise Killed

    monkeypatch.setattr(Checkpoint, "keep", counted)


@pytest.fixture(scope="module")
def uninterrupted(tiny, blob_images):
    found = {}

    def fit(**options):
        key = repr(options)
        if key not in found:
            found[key] = made(**options).fit(*blob_images)
        return found[key]

    return fit


def assert_same(first, second):
    for a, b in zip(first.model_.get_weights(), second.model_.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE)
    for name, values in first.history_.items():
        if name == "stage":
            assert second.history_[name] == values
        elif name != "seconds":
            np.testing.assert_allclose(second.history_[name], values, atol=1e-4)


@pytest.mark.parametrize(
    ("count", "options"),
    # In the head, at its last epoch, in the fine-tuning, at the very end.
    [(1, {}), (3, {}), (4, {}), (5, {}), (4, {"cache": False})],
)
def test_stopped_at_any_epoch_it_ends_the_same(
    uninterrupted, blob_images, tmp_path, monkeypatch, count, options
):
    folder = tmp_path / "kept"
    with monkeypatch.context() as patch:
        stop_at(patch, count)
        with pytest.raises(Killed):
            made(**options).fit(*blob_images, checkpoint=folder)
    assert (folder / "state.npz").exists()
    again = made(**options).fit(*blob_images, checkpoint=folder)
    assert_same(uninterrupted(**options), again)
    assert not folder.exists()


def test_patience_counts_on_over_a_stop(uninterrupted, blob_images, tmp_path, monkeypatch):
    # A rate that ruins the model: no epoch is better for long.
    options = {"epochs": 12, "patience": 2, "learning_rate": 3.0, "finetune_epochs": 0}
    whole = uninterrupted(**options)
    assert len(whole.history_["loss"]) < 12
    for count in (2, len(whole.history_["loss"])):
        with monkeypatch.context() as patch:
            stop_at(patch, count)
            with pytest.raises(Killed):
                made(**options).fit(*blob_images, checkpoint=tmp_path / "kept")
        assert_same(whole, made(**options).fit(*blob_images, checkpoint=tmp_path / "kept"))


def test_the_frozen_part_is_not_computed_again(uninterrupted, blob_images, tmp_path, monkeypatch):
    folder = tmp_path / "kept"
    with monkeypatch.context() as patch:
        stop_at(patch, 1)
        with pytest.raises(Killed):
            made().fit(*blob_images, checkpoint=folder)

    def never(*_arguments, **_options):
        raise AssertionError

    monkeypatch.setattr("mri_tumor.training.fitting.compute_features", never)
    assert_same(uninterrupted(), made().fit(*blob_images, checkpoint=folder))


def test_finetuning_goes_on_too(tiny, blob_images, tmp_path, monkeypatch):
    def started():
        return made(finetune_epochs=0).fit(*blob_images)

    whole = started().finetune(*blob_images, epochs=3)
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        with pytest.raises(Killed):
            started().finetune(*blob_images, epochs=3, checkpoint=tmp_path / "kept")
    assert_same(whole, started().finetune(*blob_images, epochs=3, checkpoint=tmp_path / "kept"))


@pytest.fixture(scope="module")
def left(tiny, blob_images, tmp_path_factory):
    """Folder of a training that was stopped."""
    folder = tmp_path_factory.mktemp("left") / "kept"
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, 1)
        with pytest.raises(Killed):
            made().fit(*blob_images, checkpoint=folder)
    return folder


def test_other_settings_are_refused_by_name(left, blob_images):
    images, labels = blob_images
    for changes, words in [
        ({"learning_rate": 0.02}, r"learning_rate was 0\.01, and is 0\.02"),
        ({"seed": 5}, "seed was 4"),
        ({"finetune_epochs": 1}, "finetune_epochs was 2"),
    ]:
        with pytest.raises(CheckpointError, match=words):
            made(**changes).fit(images, labels, checkpoint=left)
    with pytest.raises(CheckpointError, match="images or their labels"):
        made().fit(images[:, ::-1], labels, checkpoint=left)
    with pytest.raises(CheckpointError, match="images or their labels"):
        made().fit(images, labels[::-1], checkpoint=left)
    # What is only shown decides nothing.
    assert made(threshold=0.2, verbose=1).fit(images, labels, checkpoint=left).history_


def test_a_second_training_in_one_folder_is_refused(tmp_path):
    with Checkpoint(tmp_path / "kept"):
        with pytest.raises(CheckpointError, match="another run is working there"):
            Checkpoint(tmp_path / "kept").__enter__()
        assert (tmp_path / "kept").is_dir()
    assert not (tmp_path / "kept").exists()


def state(number=0):
    return State(
        stage=0, epoch=number, best=0.1 + 0.2, best_epoch=-1, history={"loss": [1 / 3]},
        variables=[np.full((2, 3), number, "f"), np.array([1, 2], np.uint32)],
        optimizer=[np.array(7)], best_weights=[],
    )  # fmt: skip


def test_a_state_comes_back_exactly(tmp_path):
    with Checkpoint(tmp_path) as kept:
        kept.begin({"a": 1})
        assert kept.state() is None
        kept.keep(state())
        found = kept.state()
    assert (found.best, found.history, found.best_weights) == (0.1 + 0.2, {"loss": [1 / 3]}, [])
    for a, b in zip(found.variables, state().variables, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_a_full_disk_leaves_the_last_state(tmp_path, monkeypatch):
    with Checkpoint(tmp_path) as kept:
        kept.begin({})
        kept.keep(state(1))

        def full(_handle):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                kept.keep(state(2))
        assert kept.state().epoch == 1
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "lock", "settings.json", "state.npz",
        ]  # fmt: skip


@pytest.mark.parametrize("end", [0, 10, 200, -1])
def test_a_damaged_state_is_an_error_in_words(tmp_path, end):
    with Checkpoint(tmp_path) as kept:
        kept.begin({})
        kept.keep(state())
        file = tmp_path / "state.npz"
        file.write_bytes(file.read_bytes()[:end])
        with pytest.raises(CheckpointError, match="is damaged"):
            kept.state()


def test_a_pickle_is_not_loaded(tmp_path):
    np.savez(tmp_path / "state.npz", about=np.array([{"a": 1}], dtype=object))
    with Checkpoint(tmp_path) as kept, pytest.raises(CheckpointError, match="is damaged"):
        kept.state()


def test_nothing_of_others_is_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"thesis\.tex"):
        Checkpoint(tmp_path).__enter__()
    assert (tmp_path / "thesis.tex").exists()


def test_starting_anew_over_an_unfinished_training_is_refused(tmp_path):
    with Checkpoint(tmp_path / "kept") as kept:
        kept.begin({"a": 1})
    # Nothing was done yet that could be lost.
    with Checkpoint(tmp_path / "kept", resume=False) as kept:
        kept.begin({"a": 2})
        kept.keep(state())
    with pytest.raises(CheckpointError, match="--resume"):
        Checkpoint(tmp_path / "kept", resume=False).__enter__()
