"""What must not get in, and what must not get out."""

import csv
import io
import json
import socket
import zipfile

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mri_tumor import keras_file
from mri_tumor.bundle import MODEL, read_bundle
from mri_tumor.classifier import TumorClassifier
from mri_tumor.cli.trained import safe_table
from mri_tumor.errors import BundleError
from mri_tumor.evaluation import evaluate_predictions
from mri_tumor.evaluation.html_report import render_html_report
from mri_tumor.files import sha256_of
from mri_tumor.images import list_images


@pytest.fixture
def saved(fitted, tmp_path):
    return fitted.save(tmp_path / "model")


def rehash(folder):
    """Write the hashes anew, as an attacker would."""
    content = json.loads((folder / "metadata.json").read_text())
    content["files"] = {name: sha256_of(folder / name) for name in content["files"]}
    (folder / "metadata.json").write_text(json.dumps(content))


def rewrite(folder, change):
    """Replace parts of the Keras file, and its hash."""
    with zipfile.ZipFile(folder / MODEL) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(folder / MODEL, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    rehash(folder)


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "a/../../outside.txt"])
def test_names_that_lead_out_of_a_bundle_are_refused(saved, name):
    (saved.parent / "outside.txt").write_text("secret")
    content = json.loads((saved / "metadata.json").read_text())
    content["files"][name] = "0" * 64
    (saved / "metadata.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="missing"):
        read_bundle(saved)


@pytest.mark.parametrize("target", ["file", "folder"])
def test_links_that_lead_out_of_a_bundle_are_refused(saved, target):
    outside = saved.parent / "elsewhere"
    outside.mkdir()
    (outside / MODEL).write_bytes((saved / MODEL).read_bytes())
    if target == "file":
        (saved / MODEL).unlink()
        (saved / MODEL).symlink_to(outside / MODEL)
    else:
        content = json.loads((saved / "metadata.json").read_text())
        content["files"][f"more/{MODEL}"] = content["files"][MODEL]
        (saved / "metadata.json").write_text(json.dumps(content))
        (saved / "more").symlink_to(outside)
    with pytest.raises(BundleError, match="missing"):
        TumorClassifier.load(saved)


@pytest.mark.parametrize("name", ["../../evil.py", "/tmp/evil.py", "assets/x.txt", "__init__.py"])
def test_a_model_file_with_more_parts_is_refused(saved, tmp_path, name):
    rewrite(saved, lambda parts: parts.update({name: b"print('here')"}))
    with pytest.raises(BundleError, match="could run code"):
        TumorClassifier.load(saved)
    assert not list(tmp_path.parent.glob("evil.py"))


def test_a_bomb_is_refused_before_it_is_unpacked(saved, monkeypatch):
    monkeypatch.setattr(keras_file, "_MAX_CONFIG_BYTES", 10**6)
    rewrite(saved, lambda parts: parts.update({"config.json": b" " * 10**7}))
    with pytest.raises(BundleError, match=r"config\.json unpacks to more"):
        TumorClassifier.load(saved)
    rewrite(saved, lambda parts: parts.update({"model.weights.h5": b"\0" * 10**7}))
    with pytest.raises(BundleError, match="unpacks to more"):
        TumorClassifier.load(saved)


@pytest.mark.parametrize("link", ["ExternalLink", "external storage"])
def test_weights_that_point_at_other_files_are_refused(saved, tmp_path, link):
    (tmp_path / "secret").write_bytes(b"\1" * 10**5)

    def point_elsewhere(parts):
        buffer = io.BytesIO(parts["model.weights.h5"])
        with h5py.File(buffer, "r+") as file:
            names = []
            file.visititems(
                lambda name, item: (
                    names.append(name) if isinstance(item, h5py.Dataset) and item.size else None
                )
            )
            name, shape = names[0], file[names[0]].shape
            del file[name]
            if link == "ExternalLink":
                file[name] = h5py.ExternalLink(str(tmp_path / "secret"), "/a")
            else:
                place = [(str(tmp_path / "secret"), 0, h5py.h5f.UNLIMITED)]
                file.create_dataset(name, shape, "f4", external=place)
        parts["model.weights.h5"] = buffer.getvalue()

    rewrite(saved, point_elsewhere)
    with pytest.raises(BundleError):
        TumorClassifier.load(saved)


def test_keras_is_always_asked_for_its_safe_mode(saved, monkeypatch):
    asked = []
    load = keras.saving.load_model
    monkeypatch.setattr(
        keras.saving, "load_model", lambda *a, **k: asked.append(k) or load(*a, **k)
    )
    TumorClassifier.load(saved)
    assert [(one["safe_mode"], one["compile"]) for one in asked] == [(True, False)]


FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1"]


def test_the_table_of_a_split_holds_no_formula_and_the_same_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [*FORMULAS, "scans/plain.png"]
    frame = pd.DataFrame({
        "path": paths, "label": paths, "group": range(6), "source": paths,
        "split": "train", "patient": [None, *paths[1:]], "content_hash": "abc",
    })  # fmt: skip
    cells = list(csv.DictReader(io.StringIO(safe_table(frame).decode(), newline="")))
    assert not [cell for row in cells for cell in row.values() if cell[:1] in set("=+-@\t")]
    assert [row["path"] for row in cells] == [str(tmp_path / path) for path in paths]


def test_names_cannot_run_in_a_page():
    names = ["<script>alert(1)</script>.png", '"><img src=x onerror=alert(1)>.png', "a&b.png"]
    rows = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    report = evaluate_predictions(
        ["notumor", "tumor", "tumor"], rows, classes=["notumor", "tumor"],
        files=names, n_bootstrap=0,
    )  # fmt: skip
    page, twin = render_html_report(report)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    json.loads(twin)


def test_nothing_goes_over_the_network(fitted, saved, blob_images, monkeypatch):
    def refuse(*_arguments):
        raise AssertionError("the network was used")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    again = TumorClassifier.load(saved)
    again.finetune(*blob_images, epochs=1)
    again.assess(blob_images[0][:2])


def test_a_name_cannot_forge_rows_on_the_terminal(tmp_path):
    from mri_tumor.cli.predict import _show

    name = "a.png\nb.png\ttumor\t0.99\tok\x1b[2J.png"
    row = {"file": name, "label": "notumor", "tumor_probability": 0.1, "status": "ok"}
    import contextlib

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        _show(row)
    assert out.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue()


def test_a_linked_tree_is_not_left(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(outside / "a.png")
    (inside / "a.png").symlink_to(outside / "a.png")
    (inside / "more").symlink_to(outside)
    assert not list(list_images(inside))
