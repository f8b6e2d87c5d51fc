"""The audit: copies, contradictions, leaks and shortcuts."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mri_tumor.data import Shortcut, audit_dataset, check_shortcuts, load_dataset
from mri_tumor.errors import DataError


def picture(seed, size=(64, 64)):
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    """Make a folder whose faults are known."""
    root = tmp_path_factory.mktemp("messy")
    for number in range(8):
        save(picture(number), root / "Training" / "glioma" / f"{number}.png")
        save(picture(100 + number), root / "Training" / "no" / f"{number}.png")
        save(picture(200 + number), root / "Testing" / "glioma" / f"{number}.png")
        save(picture(300 + number), root / "Testing" / "no" / f"{number}.png")
    # Three identical images, one of them in the other part.
    save(picture(0), root / "Training" / "glioma" / "copy.png")
    save(picture(0), root / "Testing" / "glioma" / "copy.bmp")
    # A mirrored copy with another label.
    save(
        picture(101).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        root / "Training" / "glioma" / "mirrored.png",
    )
    # A turned copy, same class and part.
    save(picture(302).rotate(90), root / "Testing" / "no" / "turned.png")
    (root / "Testing" / "no" / "empty.png").touch()
    return root


@pytest.fixture(scope="module")
def report(messy):
    return audit_dataset(messy)


def test_figures(report):
    assert report.figures == {
        "n_images": 36,
        "n_groups": 32,
        "exact_duplicate_groups": 1,
        "exact_duplicate_images": 3,
        "near_duplicate_groups": 3,
        "near_duplicate_images": 7,
        "largest_group": 3,
        "label_conflicts": 1,
        "leaks": 1,
        "leaking_groups": 1,
        "problems": 1,
    }
    assert [len(group) for group in report.near_groups] == [3, 2, 2]


def test_worst_pairs_come_first(report):
    paths = report.dataset.paths
    pairs = report.worst_pairs()
    assert [pair.conflict for pair in pairs] == [True, False, False]
    assert [pair.leak for pair in pairs] == [False, True, False]
    assert [pair.exact for pair in pairs] == [False, True, False]
    assert {Path(paths[pairs[0].first]).name, Path(paths[pairs[0].second]).name} == {
        "mirrored.png",
        "1.png",
    }
    assert pairs[0].distance <= 2


def test_json_says_the_same(report):
    plain = json.loads(report.to_json())
    assert {key: plain[key] for key in report.figures} == report.figures
    assert plain["leaks_between"] == [{"first": "train", "second": "test", "images": 1}]
    assert {image["label"] for image in plain["conflicts"][0]} == {"glioma", "notumor"}
    assert plain["pairs"][0]["conflict"]
    assert plain["sizes"]["glioma"] == {"64x64": 19}
    assert plain["problem_files"][0]["path"].endswith("empty.png")
    assert {shortcut["name"] for shortcut in plain["shortcuts"]} >= {"border", "histogram", "file"}
    assert len(json.loads(report.to_json(n_pairs=1))["pairs"]) == 1


def test_text(report):
    text = str(report)
    assert "36 images are 32 independent ones; the largest group has 3." in text
    assert (
        "LEAK: 1 groups cross the split; images with a near-duplicate: 1 of test in train" in text
    )
    assert "1 groups of copies with contradicting labels" in text
    assert "1 of 37 files left out" in text
    assert "empty.png" in text
    assert text.endswith("not a medical device.")


def test_split_without_leaks(report, messy, tmp_path):
    report.write_split(tmp_path / "split.json")
    with pytest.warns(UserWarning, match="1 of 37 files"):
        data = load_dataset(messy, split=tmp_path / "split.json")
    assert not data.leaks
    assert data.splits == report.split().splits
    assert not audit_dataset(data, max_images=0).leaks


def test_picture_of_pairs(report):
    figure = report.plot_pairs(2)
    assert len(figure.axes) == 4
    assert "labels contradict" in figure.axes[0].get_xlabel()
    assert "crosses the split" in figure.axes[2].get_xlabel()
    assert figure.axes[1].get_title().endswith(("1.png", "mirrored.png"))


def test_picture_of_a_vanished_image(report, tmp_path):
    data = replace(report.dataset, paths=(str(tmp_path / "gone.png"),) * 36)
    figure = replace(report, dataset=data).plot_pairs(1)
    assert "cannot be read any more" in [text.get_text() for text in figure.axes[0].texts]


def test_clean_folder_of_one_class(tmp_path):
    for number in range(3):
        save(picture(number), tmp_path / "glioma" / f"{number}.png")
    report = audit_dataset(tmp_path)
    assert report.figures["near_duplicate_groups"] == 0
    assert report.shortcuts == ()
    assert "needs two classes" in str(report)
    assert "names no split" in str(report)
    with pytest.raises(DataError, match="no copies to draw"):
        report.plot_pairs()
    with pytest.raises(DataError, match="no such folder"):
        audit_dataset(tmp_path / "nowhere")


def test_unknown_subtype_contradicts_no_subtype(tmp_path):
    for number in range(4):
        save(picture(number), tmp_path / "glioma" / f"{number}.png")
        save(picture(10 + number), tmp_path / "no" / f"{number}.png")
    save(picture(0).rotate(180), tmp_path / "tumor" / "0.png")
    assert audit_dataset(tmp_path, max_images=0).figures["label_conflicts"] == 0
    save(picture(10).rotate(180), tmp_path / "tumor" / "1.png")
    assert audit_dataset(tmp_path, max_images=0).figures["label_conflicts"] == 1


def shortcut_folder(root, draw):
    for number in range(30):
        for label in ("no", "yes"):
            image = np.array(picture(number + 1000 * len(label)))
            save(draw(image, label), root / label / f"{number}.png")
    return load_dataset(root)


def framed(image, label):
    image[:4] = 250 if label == "yes" else 5
    return Image.fromarray(image)


def larger(image, label):
    return Image.fromarray(image).resize((96, 96) if label == "yes" else (64, 64))


def plain(image, _label):
    return Image.fromarray(image)


def test_shortcuts_are_found_where_they_are(tmp_path):
    by_frame = {s.name: s for s in check_shortcuts(shortcut_folder(tmp_path / "a", framed))}
    assert by_frame["border"].balanced_accuracy > 0.95
    assert by_frame["border"].tumor_auc > 0.95
    assert by_frame["border"].verdict.startswith("nearly gives the label away")
    by_size = {s.name: s for s in check_shortcuts(shortcut_folder(tmp_path / "b", larger))}
    assert by_size["file"].balanced_accuracy == 1
    nothing = {s.name: s for s in check_shortcuts(shortcut_folder(tmp_path / "c", plain))}
    assert max(s.balanced_accuracy for s in nothing.values()) < 0.8
    assert nothing["border"].chance == 0.5


def test_source_is_a_shortcut(tmp_path):
    for label in ("no", "yes"):
        for number in range(10):
            save(picture(number + 50 * len(label)), tmp_path / label / label / f"{number}.png")
    data = load_dataset({"a": tmp_path / "no", "b": tmp_path / "yes"})
    found = {shortcut.name: shortcut for shortcut in check_shortcuts(data)}
    assert found["source"].balanced_accuracy == 1


@pytest.mark.parametrize(
    ("accuracy", "auc", "verdict"),
    [
        (0.5, 0.5, "tells next to nothing"),
        (0.4, 0.65, "gives a hint"),
        (0.8, None, "tells much"),
        (0.6, 0.95, "nearly gives the label away"),
    ],
)
def test_verdicts(accuracy, auc, verdict):
    assert Shortcut("border", accuracy, 0.5, auc, 10).verdict.startswith(verdict)


@pytest.mark.data
@pytest.mark.slow
def test_real_data(real_data):
    report = audit_dataset(real_data / "brain-tumor-mri" / "Training", max_images=0)
    assert report.figures["n_images"] == 5708
    assert report.figures["exact_duplicate_groups"] == 155
    assert report.figures["exact_duplicate_images"] == 362
    assert report.figures["near_duplicate_groups"] == 1379
    assert report.figures["label_conflicts"] == 3
    assert report.figures["largest_group"] == 55
