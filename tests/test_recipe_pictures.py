"""The rows that all layers learn from: `scripts/brain_mri/pictures.py`, run as one runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mri_tumor import make_phantoms
from mri_tumor.images import read_image

SCRIPTS = Path(__file__).parents[1] / "scripts" / "brain_mri"
sys.path.insert(0, str(SCRIPTS))
from rows import PrepareRow, load, load_donors, plan_rows, read_boxes


def draw(data, work):
    command = [sys.executable, SCRIPTS / "pictures.py", data, "--work", work]
    subprocess.run(command, check=True, cwd=SCRIPTS)
    folder = work / "pictures-0"
    return tuple(np.load(folder / name) for name in ("pictures.npy", "cover.npy"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a folder as the recipe wants it, with two tumors whose boxes are known."""
    folder = tmp_path_factory.mktemp("data")
    training = folder / "brain-tumor-mri" / "Training"
    made = make_phantoms(12, folder=training)
    make_phantoms(4, classes=("notumor", "tumor"), seed=1, folder=folder / "br35h")
    for path in (folder / "br35h").rglob("*.png"):  # boxes go by the name of the file
        path.rename(path.with_name(f"other_{path.name}"))
    lines = ["file,x_center,y_center,width,height"]
    for i in [i for i, label in enumerate(made.labels) if label != "notumor"][:2]:
        lines.append(f"{made.labels[i]}/synthetic_{i:04d}.png,0.5,0.5,0.3,0.2")
    (folder / "brain-tumor-mri" / "boxes.csv").write_text("\n".join(lines))
    return folder


def test_what_processes_draw_is_what_each_row_is(data, tmp_path):
    pictures, cover = draw(data, tmp_path)
    dataset = load(data)
    boxes = read_boxes(data, dataset)
    assert boxes
    rows = plan_rows(dataset, boxes, seed=0)
    prepare = PrepareRow(rows, load_donors(dataset, rows, boxes), 0, boxes=boxes)
    assert len(pictures) == len(cover) == len(rows.image)
    for index, image in enumerate(rows.image):
        values, _, tumor = prepare.with_cover(read_image(dataset.paths[image]), index)
        np.testing.assert_array_equal(pictures[index], values[:, :, 0])
        if tumor is not None:
            share = tumor[32:64, 96:128].mean()  # the cell in the second row, fourth column
            assert cover[index, 1, 3] == pytest.approx(share, abs=1e-3)
    healthy = np.array(dataset.labels)[rows.image] == "notumor"
    untouched = np.isin(rows.kind, ["plain", "robust", "patched"])
    assert (cover[healthy & untouched] == 0).all()
    unknown = ~healthy & untouched & ~np.isin(rows.image, list(boxes))
    assert unknown.any()
    assert (cover[unknown | (rows.kind == "stripped")] == -1).all()


def test_what_was_not_drawn_when_it_was_stopped_is_drawn_later(data, tmp_path):
    pictures, cover = draw(data, tmp_path)
    folder = tmp_path / "pictures-0"
    np.save(folder / "pictures.npy", np.zeros_like(pictures))
    (folder / "failures.json").write_text("{}")
    again = draw(data, tmp_path)
    np.testing.assert_array_equal(again[0], pictures)
    np.testing.assert_array_equal(again[1], cover)
    assert json.loads((folder / "failures.json").read_text()).keys() == {"0"}
