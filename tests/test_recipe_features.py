"""What the packaged model learns from: `scripts/brain_mri/features.py` and `places.py`, as run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mri_tumor import make_phantoms
from mri_tumor.images import read_image

SCRIPTS = Path(__file__).parents[1] / "scripts" / "brain_mri"
KERAS = Path(__file__).parents[2] / "shared" / "keras"
sys.path.insert(0, str(SCRIPTS))
from rows import PrepareRow, load, load_donors, plan_rows, read_boxes


def run(name, data, work, *options):
    command = [sys.executable, SCRIPTS / f"{name}.py", data, "--work", work, *options]
    environment = os.environ | {"KERAS_HOME": str(KERAS)}
    subprocess.run(command, check=True, cwd=SCRIPTS, env=environment)


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


@pytest.fixture(scope="module")
def drawn(data):
    """Return the rows of the folder, their labels, their pictures and where their tumors are."""
    dataset = load(data)
    boxes = read_boxes(data, dataset)
    assert boxes
    rows = plan_rows(dataset, boxes, seed=0)
    prepare = PrepareRow(rows, load_donors(dataset, rows, boxes), 0, boxes=boxes)
    found = [
        prepare.with_cover(read_image(dataset.paths[image]), index)
        for index, image in enumerate(rows.image)
    ]
    labels = np.array(dataset.labels)[rows.image]
    return rows, labels, [values for values, *_ in found], [tumor for *_, tumor in found], boxes


def test_a_cell_is_covered_as_far_as_the_tumor_goes(data, drawn, tmp_path):
    run("places", data, tmp_path)
    rows, labels, _, tumors, boxes = drawn
    cover = np.load(tmp_path / "places-0.npy")
    assert len(cover) == len(rows.image)
    known = [index for index, tumor in enumerate(tumors) if tumor is not None]
    assert len(known) > 10
    for index in known:
        share = tumors[index][32:64, 96:128].mean()  # the cell in the second row, fourth column
        expected = -1 if rows.kind[index] == "stripped" else pytest.approx(share, abs=1e-3)
        assert cover[index, 1, 3] == expected
    healthy = labels == "notumor"
    untouched = np.isin(rows.kind, ["plain", "robust", "patched"])
    assert (cover[healthy & untouched] == 0).all()
    unknown = ~healthy & untouched & ~np.isin(rows.image, list(boxes))
    assert unknown.any()
    assert (cover[unknown | (rows.kind == "stripped")] == -1).all()


@pytest.mark.skipif(not KERAS.is_dir(), reason="the ImageNet weights are not on this machine")
def test_features_of_mirror_images_are_those_of_mirrored_pictures(data, drawn, tmp_path):
    import keras

    run("features", data, tmp_path, "--open", "block_1_expand", "--mirrored")
    kept = np.load(tmp_path / "features-0-block_1_expand" / "000000.npy")
    rows, _, pictures, *_ = drawn
    assert kept.shape == (len(rows.image), 2, 112, 112, 16)
    network = keras.applications.MobileNetV2(
        include_top=False, weights=str(next(KERAS.rglob("mobilenet_v2*no_top.h5")))
    )
    early = keras.Model(network.input, network.get_layer("expanded_conv_project_BN").output)
    for index in (0, len(pictures) // 2, len(pictures) - 1):
        values = pictures[index].astype(np.float32) / 127.5 - 1
        both = early.predict_on_batch(np.stack([values, values[:, ::-1]]))
        np.testing.assert_allclose(kept[index], both, atol=0.02)
        assert np.abs(both[0] - both[1]).max() > 0.1
