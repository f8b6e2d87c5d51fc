"""Results that runs share: whole or absent, within the limit, never those of something else."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mri_tumor import TumorClassifier
from mri_tumor.caching import Cache, default_limit
from mri_tumor.errors import ParameterError
from mri_tumor.files import only_one


def put(cache, key, n_bytes, *, used=None):
    with cache.new(key, n_bytes=n_bytes, about={"what": key}) as folder:
        (folder / "values.bin").write_bytes(b"x" * n_bytes)
    if used is not None:
        os.utime(cache.folder / key / "entry.json", (used, used))


def test_a_result_is_found_by_its_key_alone(tmp_path):
    cache = Cache(tmp_path / "cache", limit=10_000)
    assert cache.find("a") is None
    assert not cache.folder.exists()
    put(cache, "a", 100)
    assert (cache.find("a") / "values.bin").read_bytes() == b"x" * 100
    assert cache.find("b") is None
    assert [entry.about for entry in cache.entries()] == [{"what": "a"}]
    assert cache.folder.stat().st_mode & 0o777 == 0o700


def test_the_least_recently_used_makes_room(tmp_path):
    cache = Cache(tmp_path, limit=2_500)
    for age, key in ((30, "a"), (20, "b"), (10, "c")):
        # Each is some bytes larger than its values: two fit, three do not.
        put(cache, key, 1_000, used=time.time() - age)
        if key == "b":
            cache.find("a")  # used again, so that b is now the oldest
    assert {entry.key for entry in cache.entries()} == {"a", "c"}


def test_what_is_larger_than_the_limit_is_not_kept(tmp_path):
    assert not Cache(tmp_path, limit=999).has_room_for(1_000)
    assert Cache(tmp_path, limit=1_000).has_room_for(1_000)
    assert not Cache(tmp_path / "new" / "folder", limit=10**18).has_room_for(10**17)


def test_a_training_does_without_a_cache_that_it_may_not_write(
    tiny, blob_images, tmp_path, monkeypatch
):
    # As for a user without a home folder of his own; for root nothing is forbidden.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    assert not Cache(tmp_path / "cache", limit=10**9).has_room_for(1)
    classifier = TumorClassifier(
        "tiny", weights=None, epochs=1, augmentation=None, cache=tmp_path / "cache"
    )
    assert classifier.fit(*blob_images).predict(blob_images[0]).shape == (24,)
    assert list(tmp_path.iterdir()) == []


def test_without_a_home_folder_a_cache_asks_for_a_place(monkeypatch):
    def lost():
        raise RuntimeError("Could not determine home directory.")

    for name in ("MRI_TUMOR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lost)
    with pytest.raises(ParameterError, match="Set MRI_TUMOR_CACHE"):
        Cache()


def test_a_block_that_fails_leaves_nothing(tmp_path):
    cache = Cache(tmp_path, limit=10_000)

    def fail():
        with cache.new("a", n_bytes=1, about={}) as folder:
            (folder / "values.bin").write_bytes(b"x")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_was_cut_short_is_made_again(tmp_path):
    cache = Cache(tmp_path, limit=10_000)
    put(cache, "a", 100)
    (tmp_path / "a" / "values.bin").write_bytes(b"x" * 99)
    assert cache.find("a") is None
    put(cache, "a", 100)
    assert (cache.find("a") / "values.bin").stat().st_size == 100


def test_what_a_killed_run_left_goes_and_what_another_works_on_stays(tmp_path):
    cache = Cache(tmp_path, limit=10_000)
    left, busy = tmp_path / ".scratch-left", tmp_path / ".scratch-busy"
    for folder in (left, busy):
        folder.mkdir()
        (folder / "values.bin").write_bytes(b"x")
    with only_one(busy / "lock", what="busy"):
        for folder in (left, busy):
            os.utime(folder, (0, 0))
        put(cache, "a", 10)
        assert not left.exists()
        assert (busy / "values.bin").exists()


def test_clearing_says_what_went(tmp_path):
    cache = Cache(tmp_path / "cache", limit=10_000)
    put(cache, "a", 100)
    put(cache, "b", 200)
    n_entries, n_bytes = cache.clear()
    assert n_entries == 2
    assert n_bytes >= 300
    assert not cache.folder.exists()


@pytest.mark.parametrize("text", ["much", "-1", "inf", "nan"])
def test_a_limit_that_is_no_number_is_named(monkeypatch, text):
    monkeypatch.setenv("MRI_TUMOR_CACHE_LIMIT", text)
    with pytest.raises(ParameterError, match="MRI_TUMOR_CACHE_LIMIT"):
        default_limit()


@pytest.fixture
def computed(monkeypatch):
    """Count how often the frozen part is computed."""
    from mri_tumor.training import fitting

    calls = []
    real = fitting.compute_features

    def counted(*arguments, **options):
        calls.append(options["description"])
        return real(*arguments, **options)

    monkeypatch.setattr(fitting, "compute_features", counted)
    return calls


def train(folder, images, labels, **options):
    settings = {"weights": None, "epochs": 2, "n_variants": 2, "seed": 3} | options
    return TumorClassifier("tiny", cache=folder, **settings).fit(images, labels)


def test_trainings_share_the_frozen_part_and_end_the_same(tiny, blob_images, tmp_path, computed):
    first = train(tmp_path / "a", *blob_images)
    assert len(computed) == 2  # training and validation
    again = train(tmp_path / "a", *blob_images)
    assert len(computed) == 2
    alone = train(tmp_path / "b", *blob_images)
    assert len(computed) == 4
    for one, other, third in zip(
        first.model_.get_weights(),
        again.model_.get_weights(),
        alone.model_.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({"dropout": 0.1, "hidden_units": 32, "learning_rate": 0.1}, 0),  # another head
        ({"n_variants": 3}, 1),  # the validation part has no variants
        ({"augmentation": "robust"}, 1),
        ({"finetune_epochs": 1, "finetune_layers": 1}, 2),  # cut elsewhere
        ({"input_size": 48}, 2),
    ],
)
def test_only_what_it_depends_on_counts(tiny, blob_images, tmp_path, computed, options, times):
    # Another seed would draw other weights of this backbone, and other parts.
    train(tmp_path, *blob_images)
    del computed[:]
    train(tmp_path, *blob_images, **options)
    assert len(computed) == times


def test_changed_files_are_never_taken_for_the_old_ones(
    tiny, blob_images, blob_folder, tmp_path, computed
):
    from mri_tumor import load_dataset

    train(tmp_path / "cache", load_dataset(blob_folder), None)
    del computed[:]
    path = min(blob_folder.glob("*/*.png"))
    then = path.stat()
    pixels = np.array(Image.open(path))
    pixels[40, 40] ^= 1
    Image.fromarray(pixels).save(path)
    os.utime(path, ns=(then.st_atime_ns, then.st_mtime_ns))
    train(tmp_path / "cache", load_dataset(blob_folder), None)
    assert len(computed) == 1  # of the part that holds the file


def test_a_policy_from_elsewhere_is_not_shared(tiny, blob_images, tmp_path, computed):
    def policy(image, settings, rng):
        from mri_tumor.images.preprocessing import preprocess

        return preprocess(image, settings)[0]

    for _ in range(2):
        train(tmp_path, *blob_images, augmentation=policy)
    # The validation part has no variants, so it is known.
    assert computed == [
        "Computing the frozen part, training",
        "Computing the frozen part, validation",
        "Computing the frozen part, training",
    ]


def test_without_room_it_trains_all_the_same(tiny, blob_images, tmp_path, monkeypatch, computed):
    kept = train(tmp_path / "kept", *blob_images)
    monkeypatch.setenv("MRI_TUMOR_CACHE_LIMIT", "0")
    alone = train(tmp_path / "none", *blob_images)
    assert not (tmp_path / "none").exists()
    for one, other in zip(kept.model_.get_weights(), alone.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_command_shows_and_clears(tmp_path, monkeypatch):
    from mri_tumor.cli.main import commands

    monkeypatch.setenv("MRI_TUMOR_CACHE", str(tmp_path / "cache"))
    put(Cache(), "a" * 40, 5_000)
    found = json.loads(CliRunner().invoke(commands, ["cache", "--json"]).output)
    assert found["folder"] == str(tmp_path / "cache")
    assert found["size_bytes"] == found["entries"][0]["size_bytes"] > 5_000
    assert found["entries"][0]["what"] == "a" * 40
    assert "1 entries" in CliRunner().invoke(commands, ["cache"]).output
    found = json.loads(CliRunner().invoke(commands, ["cache", "--clear", "--json"]).output)
    assert (found["removed_entries"], found["size_bytes"]) == (1, 0)
