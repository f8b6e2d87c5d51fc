"""Saved models: round trips, damage, and what must not be loaded."""

import json
import os
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from mri_tumor import bundle_writing
from mri_tumor.backbones.registry import register_backbone, unregister_backbone
from mri_tumor.bundle import (
    Bundle,
    find_bundle,
    load_keras_model,
    packaged_bundle,
    read_bundle,
)
from mri_tumor.bundle_writing import write_bundle
from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import BundleError


@pytest.fixture
def saved(fitted, tmp_path):
    return fitted.save(tmp_path / "model")


def test_a_model_answers_the_same_after_a_round_trip(fitted, saved, blob_images):
    again = TumorClassifier.load(saved)
    images = blob_images[0]
    np.testing.assert_allclose(
        again.predict_proba(images), fitted.predict_proba(images), atol=1e-6
    )
    assert again.get_params() == fitted.get_params()
    assert again.history_ == fitted.history_
    first, second = fitted.explain(images[-2:]), again.explain(images[-2:])
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-4)


def test_a_loaded_model_can_be_finetuned(saved, blob_images):
    again = TumorClassifier.load(saved)
    n_epochs = len(again.history_["loss"])
    again.finetune(*blob_images, epochs=1)
    assert len(again.history_["loss"]) == n_epochs + 1


def test_half_precision_halves_the_file_and_hardly_moves_an_answer(fitted, tmp_path, blob_images):
    whole = fitted.save(tmp_path / "whole")
    half = fitted.save(tmp_path / "half", half_precision=True)
    sizes = []
    for folder in (whole, half):
        with zipfile.ZipFile(folder / "model.keras") as archive:
            weights = archive.read("model.weights.h5")
            (tmp_path / "w.h5").write_bytes(weights)
        import h5py

        total = []
        with h5py.File(tmp_path / "w.h5") as file:
            file.visititems(lambda _, item: total.append(getattr(item, "nbytes", 0)))  # noqa: B023
        sizes.append(sum(total))
    assert sizes[1] == pytest.approx(sizes[0] / 2, abs=64)
    images = blob_images[0]
    again = TumorClassifier.load(half)
    assert again.model_.weights[0].dtype == "float32"
    np.testing.assert_allclose(
        again.predict_proba(images), fitted.predict_proba(images), atol=2e-3
    )


def test_metadata_says_what_a_model_is(saved):
    content = read_bundle(saved).metadata
    assert content["classes"] == ["notumor", "tumor"]
    assert content["backbone"]["name"] == "tiny"
    assert "not a medical device" in content["notice"]
    assert set(content["files"]) == {"model.keras"}
    assert content["versions"].keys() >= {"mri-tumor", "keras", "tensorflow"}


@pytest.mark.parametrize("kind", [Path, str])
def test_paths_of_this_machine_are_not_kept(tiny, blob_images, tmp_path, kind):
    backbone = tiny.builder((64, 64, 3), None)
    weights = tmp_path / "of-a-patient" / "w.weights.h5"
    weights.parent.mkdir()
    backbone.save_weights(weights)
    clf = TumorClassifier("tiny", weights=kind(weights), epochs=1, augmentation=None)
    clf.fit(*blob_images)
    text = (clf.save(tmp_path / "model") / "metadata.json").read_text()
    assert "of-a-patient" not in text
    assert '"weights": "w.weights.h5"' in text


def test_saving_over_a_model_replaces_it_and_over_anything_else_does_not(fitted, saved, tmp_path):
    before = (saved / "metadata.json").stat().st_ino
    fitted.save(saved)
    assert (saved / "metadata.json").stat().st_ino != before
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter-1.txt").write_text("years of work")
    with pytest.raises(BundleError, match="thesis.*no saved model"):
        fitted.save(other)
    assert (other / "chapter-1.txt").read_text() == "years of work"


def test_the_current_folder_is_refused_and_a_link_to_a_folder_stays_one(
    fitted, tmp_path, monkeypatch
):
    empty = tmp_path / "empty"
    empty.mkdir()
    link = tmp_path / "link"
    link.symlink_to(empty)
    assert fitted.save(link) == link
    assert link.is_symlink()
    assert (empty / "metadata.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "link"]
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for place in (".", here):
        with pytest.raises(BundleError, match="is the current folder"):
            fitted.save(place)
    assert list(here.iterdir()) == []


def test_what_somebody_else_put_into_a_bundle_stays(fitted, saved):
    (saved / "notes").mkdir()
    (saved / "notes" / "why.txt").write_text("a good one")
    extra = write_bundle(
        saved, fitted.model_, read_bundle(saved).metadata, files={"ours.txt": b"1"}
    )
    assert (saved / "notes" / "why.txt").read_text() == "a good one"
    assert "ours.txt" in extra.metadata["files"]
    assert "notes/why.txt" not in extra.metadata["files"]
    fitted.save(saved)
    assert (saved / "notes" / "why.txt").read_text() == "a good one"
    assert not (saved / "ours.txt").exists()


def test_a_crash_while_saving_leaves_the_old_model(fitted, saved, monkeypatch, blob_images):
    before = TumorClassifier.load(saved).predict_proba(blob_images[0])

    def full(*_arguments, **_options):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(bundle_writing, "_write_metadata", full)
    with pytest.raises(BundleError, match="No space left"):
        fitted.save(saved)
    np.testing.assert_array_equal(
        TumorClassifier.load(saved).predict_proba(blob_images[0]), before
    )
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def edit(folder, **changes):
    file = folder / "metadata.json"
    content = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_a_changed_file_is_not_loaded(saved):
    with (saved / "model.keras").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError, match=r"model\.keras.*SHA-256"):
        TumorClassifier.load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 99}, "format 99.*Update"),
        ({"format_version": "1"}, "not the metadata"),
        ({"classes": None}, "lacks classes"),
        ({"files": {}}, "lacks model.keras"),
        ({"files": {"model.keras": "0", "../../etc/passwd": "0"}}, "differs|missing"),
        ({"negative_class": "healthy"}, "negative_class"),
        ({"preprocessing": {"size": 64, "version": 9}}, "version 9"),
        ({"threshold": "high"}, "does not hold together"),
        ({"files": ["model.keras"]}, "'files' is malformed"),
        ({"files": {"model.keras": 5}}, "'files' is malformed"),
        ({"files": {"a\0b": "0"}}, "'files' is malformed"),
        ({"parameters": [1]}, "'parameters' is malformed"),
        ({"data": "x"}, "'data' is malformed"),
        ({"gate": 5}, "'gate' is malformed"),
    ],
)
def test_metadata_that_does_not_fit_is_refused(saved, changes, message):
    edit(saved, **changes)
    with pytest.raises(BundleError, match=message):
        TumorClassifier.load(saved)


def test_a_file_outside_of_the_folder_is_not_touched(saved):
    (saved.parent / "secret").write_text("x")
    content = json.loads((saved / "metadata.json").read_text())
    edit(saved, files={**content["files"], "../secret": "0" * 64})
    with pytest.raises(BundleError, match="missing from the saved model"):
        read_bundle(saved)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", '{"format_version": 1}'])
def test_broken_metadata_is_one_error(saved, text):
    (saved / "metadata.json").write_text(text)
    with pytest.raises(BundleError, match=r"metadata\.json"):
        read_bundle(saved)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_a_model_says_what_to_give(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=f"{name}.*no saved model"):
        TumorClassifier.load(tmp_path / name)


def test_a_folder_called_like_a_model_that_ships_is_not_taken_for_it(tmp_path, monkeypatch):
    (tmp_path / "brain-mri").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_bundle("brain-mri") == packaged_bundle("brain-mri")
    for place in ("./brain-mri", tmp_path / "brain-mri", Path("brain-mri")):
        assert find_bundle(place).resolve() == tmp_path / "brain-mri"


def test_no_model_of_that_name_ships():
    with pytest.raises(BundleError, match="'brain-ct'.*Known"):
        TumorClassifier.from_pretrained("brain-ct")


class Foreign(keras.layers.Layer):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("layer", [keras.layers.Lambda(lambda x: x), Foreign()])
def test_code_in_a_model_file_is_never_loaded(fitted, tmp_path, layer):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.Flatten()(layer(image)))
    folder = fitted.save(tmp_path / "model")
    content = dict(read_bundle(folder).metadata)
    content.pop("files")
    bundle = write_bundle(tmp_path / "evil", model, content)
    with pytest.raises(BundleError, match="could run code"):
        load_keras_model(bundle)


def test_a_keras_file_with_something_else_in_it_is_not_loaded(saved):
    with zipfile.ZipFile(saved / "model.keras", "a") as archive:
        archive.writestr("../../outside.py", "print('here')")
    with pytest.raises(BundleError, match="could run code"):
        load_keras_model(Bundle(saved, read_metadata(saved)))


def read_metadata(folder):
    return json.loads((folder / "metadata.json").read_text())


def test_a_model_whose_plugin_is_absent_still_answers(fitted, saved, tiny, blob_images):
    expected = fitted.predict_proba(blob_images[0])
    unregister_backbone("tiny")
    try:
        again = TumorClassifier.load(saved)
        np.testing.assert_allclose(again.predict_proba(blob_images[0]), expected, atol=1e-6)
    finally:
        register_backbone(tiny)
