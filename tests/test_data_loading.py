"""Loading data sets from folders and tables, and what is refused."""

import csv
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mri_tumor.cli.trained import safe_table
from mri_tumor.data import DataWarning, LeakWarning, load_dataset, write_split
from mri_tumor.errors import DataError, ParameterError

FOUR = ("glioma", "meningioma", "notumor", "pituitary")


def picture(seed):
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    return Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC)


def fill(root: Path, folders: dict[str, int], start: int = 0) -> Path:
    """Write so many different images into each folder."""
    seed = start
    for folder, n in folders.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            picture(seed).save(root / folder / f"{number}.png")
            seed += 1
    return root


def test_class_folders(tmp_path):
    data = load_dataset(fill(tmp_path / "mri", dict.fromkeys(FOUR, 20)))
    assert (data.task, data.classes, data.negative_class) == ("four", FOUR, "notumor")
    assert data.counts()["train"] == dict.fromkeys(FOUR, 14)
    assert len(data.train) + len(data.validation) + len(data.test) == len(data) == 80
    assert set(data.sources) == {"mri"}
    assert not data.leaks
    assert data.paths[0] == str(tmp_path / "mri" / "glioma" / "0.png")


def test_binary_from_the_same_tree(tmp_path):
    data = load_dataset(fill(tmp_path, dict.fromkeys(FOUR, 3)), task="binary")
    assert data.classes == ("notumor", "tumor")
    assert data.labels.count("tumor") == 9
    assert data.label_mapping["glioma"] == "glioma"


@pytest.mark.parametrize("names", [("no", "yes"), ("No (Tumor)", "Yes (Tumor)"), ("0", "1")])
def test_older_layouts(tmp_path, names):
    data = load_dataset(fill(tmp_path / "brain", dict.fromkeys(names, 4)))
    assert (data.task, data.classes) == ("binary", ("notumor", "tumor"))
    assert data.label_mapping == dict(zip(names, ("notumor", "tumor"), strict=True))
    assert f"{names[0]!r} -> notumor" in data.summary()


def test_given_parts_stay(tmp_path):
    folders = {f"Training/{name}": 17 for name in FOUR} | {f"Testing/{name}": 2 for name in FOUR}
    data = load_dataset(fill(tmp_path, folders))
    assert data.counts() == {
        "train": dict.fromkeys(FOUR, 14),
        "validation": dict.fromkeys(FOUR, 3),
        "test": dict.fromkeys(FOUR, 2),
    }
    assert all("Testing" in path for path in data.test.paths)
    anew = load_dataset(tmp_path, split="new")
    assert any("Training" in path for path in anew.test.paths)
    # The two folders given one by one are the same split.
    by_parts = load_dataset([tmp_path / "Training", tmp_path / "Testing"])
    assert by_parts.splits == (*by_parts.splits[:68], *["test"] * 8)
    # A training folder alone is divided in three.
    alone = load_dataset(tmp_path / "Training")
    assert set(alone.splits) == {"train", "validation", "test"}
    assert set(alone.sources) == {tmp_path.name}


def test_given_split_that_leaks(tmp_path):
    folders = {f"{part}/{name}": 5 for part in ("train", "val", "test") for name in ("no", "yes")}
    fill(tmp_path, folders)
    with Image.open(tmp_path / "train/yes/0.png") as image:
        image.rotate(90).save(tmp_path / "test/yes/0.png")
    with pytest.warns(LeakWarning, match="1 groups cross the split.*1 of test in train"):
        data = load_dataset(tmp_path)
    assert data.leaks.images == 1
    with pytest.raises(DataError, match="the split leaks"):
        load_dataset(tmp_path, strict=True)
    assert not load_dataset(tmp_path, split="new", strict=True).leaks


def test_groups_by_file_leak_and_say_so(tmp_path):
    fill(tmp_path, {"no": 20, "yes": 20})
    for number in range(20):
        picture(number % 2).save(tmp_path / "no" / f"{number}.png")
    with pytest.warns(LeakWarning):
        data = load_dataset(tmp_path, group_by="file", fractions=(0.4, 0.3, 0.3))
    assert data.groups.tolist() == list(range(40))


def test_sources_are_joined(tmp_path):
    kaggle = fill(tmp_path / "kaggle", dict.fromkeys(FOUR, 4))
    br35h = fill(tmp_path / "br35h" / "tumor", {".": 4}, start=100)
    data = load_dataset([kaggle, br35h])
    assert set(data.sources) == {"kaggle", "br35h"}
    assert data.classes == FOUR
    assert data.labels.count("tumor") == 4
    assert "tumor (subtype unknown)" in data.summary()
    assert "br35h 4, kaggle 16" in data.summary()
    named = load_dataset({"a": kaggle, "b": br35h}, task="binary")
    assert set(named.sources) == {"a", "b"}
    assert named.labels.count("tumor") == 16


def test_unassigned_copies_of_test_images_are_left_out(tmp_path):
    folders = {f"{part}/{name}": 6 for part in ("Training", "Testing") for name in ("no", "yes")}
    given = fill(tmp_path / "given", folders)
    extra = fill(tmp_path / "extra", {"yes": 5}, start=500)
    with Image.open(given / "Testing/yes/0.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(extra / "yes/0.png")
    data = load_dataset([given, extra])
    assert [record.path for record in data if not record.split] == [str(extra / "yes/0.png")]


def test_problems_are_listed_and_left_out(tmp_path):
    fill(tmp_path, {"no": 4, "yes": 4, "unheard of": 2})
    (tmp_path / "no" / "empty.png").touch()
    (tmp_path / "no" / "text.jpg").write_text("no image")
    (tmp_path / "no" / "cut.png").write_bytes((tmp_path / "no/0.png").read_bytes()[:500])
    for ignored in ("yes/.DS_Store", "yes/Thumbs.db", "README.txt"):
        (tmp_path / ignored).write_text("ignored")
    fill(tmp_path, {"yes/masks": 2, ".hidden/yes": 2, "made-masks/yes": 2}, start=50)
    with pytest.warns(DataWarning, match="5 of 13 files left out"):
        data = load_dataset(tmp_path)
    assert len(data) == 8
    assert sorted(Path(p.path).name for p in data.problems) == [
        "0.png",
        "1.png",
        "cut.png",
        "empty.png",
        "text.jpg",
    ]
    assert "the class 'unheard of' is not known" in data.summary()
    with pytest.raises(DataError, match="5 of 13 files left out"):
        load_dataset(tmp_path, strict=True)


def test_table(tmp_path):
    fill(tmp_path, {"images": 12})
    with (tmp_path / "data.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter=";")
        writer.writerow(["File", "diagnosis", "Patient_ID", "site"])
        for number in range(12):
            label = ["healthy", "Glioma"][number % 2]
            writer.writerow([f"images/{number}.png", label, number // 2, "ab"[number % 2]])
    data = load_dataset(tmp_path / "data.csv")
    assert (data.task, set(data.labels)) == ("four", {"notumor", "glioma"})
    assert data.patients[:3] == ("0", "0", "1")
    # Patients of different sources are different people whatever their number.
    assert len(set(data.groups)) == 12
    frame = data.to_frame()
    assert frame.shape == (12, 7)
    again = load_dataset(frame.drop(columns="split"), columns={"label": "label"})
    assert again.fingerprint == data.fingerprint
    assert again.label_mapping == {"glioma": "glioma", "notumor": "notumor"}


def test_whole_numbers_beside_a_missing_one_are_read_as_they_are_meant(tmp_path):
    for name in "abcd":
        Image.fromarray(np.full((40, 40), ord(name), np.uint8)).save(tmp_path / f"{name}.png")
    paths = [str(tmp_path / f"{name}.png") for name in "abcd"]
    frame = pd.DataFrame({"path": paths, "label": [0, 1, 0, 1], "patient": [7, None, 8, None]})
    frame["label"] = frame["label"].astype(float)
    data = load_dataset(frame, split=None)
    assert sorted(data.labels) == ["notumor", "notumor", "tumor", "tumor"]
    frame["patient"] = frame["patient"].astype("Int64")  # whose missing cells are pandas.NA
    assert load_dataset(frame, split=None).groups.tolist() == data.groups.tolist()
    frame.loc[0, "path"] = "~nobody-of-that-name/a.png"
    with pytest.warns(DataWarning, match="1 of 4 files left out"):
        data = load_dataset(frame, split=None)
    assert [one.path for one in data.problems] == ["~nobody-of-that-name/a.png"]


def test_patients_and_copies_stay_together(tmp_path):
    fill(tmp_path, {"images": 12})
    picture(0).rotate(180).save(tmp_path / "images" / "11.png")
    frame = pd.DataFrame(
        {
            "path": [str(tmp_path / "images" / f"{i}.png") for i in range(12)],
            "label": ["yes", "no"] * 6,
            "patient": [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, None, np.nan],
        }
    )

    def groups(by):
        return load_dataset(frame, group_by=by, split=None).groups.tolist()

    assert groups("auto") == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 0]
    assert groups("patient") == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6]
    assert groups("near-duplicates") == [*range(11), 0]
    with pytest.raises(DataError, match="needs to know the patients"):
        load_dataset(frame.drop(columns="patient"), group_by="patient")


def test_own_classes(tmp_path):
    fill(tmp_path, {"train/lesion": 3, "train/clear": 3, "train/cyst": 3})
    data = load_dataset(tmp_path, negative_class="clear")
    assert (data.task, data.classes) == ("custom", ("clear", "cyst", "lesion"))
    assert data.negative_class == "clear"
    binary = load_dataset(tmp_path, negative_class="clear", task="binary")
    assert binary.classes == ("clear", "tumor")
    with pytest.raises(DataError, match="negative_class 'normal' does not occur; found clear"):
        load_dataset(tmp_path, negative_class="normal")


def test_split_none_takes_any_labelled_data(tmp_path):
    data = load_dataset(fill(tmp_path, {"glioma": 2}), split=None)
    assert data.classes == ("glioma",)
    assert set(data.splits) == {""}
    assert len(data.test) == 0


def test_split_file(tmp_path):
    fill(tmp_path / "a", {"no": 10, "yes": 10})
    data = load_dataset(tmp_path / "a", seed=3)
    write_split(tmp_path / "split.json", data)
    again = load_dataset(tmp_path / "a", split=tmp_path / "split.json")
    assert again.splits == data.splits
    (tmp_path / "a/no/0.png").unlink()
    with pytest.raises(DataError, match="1 missing"):
        load_dataset(tmp_path / "a", split=tmp_path / "split.json")


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({}, "holds no images. Expected one folder per class"),
        ({".": 3}, "has 3 images but no class folders"),
        ({"yes": 5}, r"only one class, tumor \(5 images\)"),
        ({"yes": 5, "no": 1}, "class 'notumor' has 1 image in 1 independent group"),
        ({"glioma": 3, "meningioma": 3}, "no images without a tumor"),
        ({"cyst": 3, "lesion": 3}, "none of the class names is known: 'cyst', 'lesion'"),
        ({"Testing/no": 3, "Testing/yes": 3}, "no training part"),
    ],
)
def test_unusable_folders(tmp_path, folders, message):
    (tmp_path / "data").mkdir()
    with pytest.raises(DataError, match=message):
        load_dataset(fill(tmp_path / "data", folders))


def test_unusable_sources(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        load_dataset(tmp_path / "nowhere")
    picture(0).save(tmp_path / "one.png")
    with pytest.raises(DataError, match="is a single file"):
        load_dataset(tmp_path / "one.png")
    with pytest.raises(ParameterError, match="Received: int"):
        load_dataset(3)
    with pytest.raises(DataError, match="no folder or table was given"):
        load_dataset([])
    for folder in ("no", "yes"):
        (tmp_path / "broken" / folder).mkdir(parents=True)
        (tmp_path / "broken" / folder / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"no file could be used\.\n2 of 2 files left out"):
        load_dataset(tmp_path / "broken")


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("path,kind\na.png,yes\n", None, "has no column 'label'; it has path, kind"),
        ("path,label\n", None, "the table has no rows"),
        ("path,label\n,yes\n", None, "row 1: the path is empty"),
        ("path,label,split\na,yes,maybe\n", None, "row 1: split 'maybe' is none of train"),
        ("path,label\na.png,yes\n", {"label": "kind"}, "has no column 'kind'"),
        ("path,label\na.png,yes\nb.png,no\n", None, "no file could be used"),
    ],
)
def test_unusable_tables(tmp_path, text, columns, message):
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path / "data.csv", columns=columns)


def test_wrong_options(tmp_path):
    fill(tmp_path, {"no": 3, "yes": 3})
    for options in (
        {"task": "three"}, {"group_by": "day"}, {"fractions": (0, 0.5, 0.5)}, {"fractions": None},
        {"fractions": (1.0,)}, {"seed": -1}, {"seed": "a"}, {"n_threads": -1}, {"split": 5},
        {"radius": "x"},
        {"radius": 33},
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=next(iter(options))):
            load_dataset(tmp_path, **options)
    with pytest.raises(DataError, match="task='four' needs images of glioma"):
        load_dataset(tmp_path, task="four")


def test_columns_without_a_table_are_not_ignored(tmp_path):
    folder = fill(tmp_path, {"no": 2, "yes": 2})
    with pytest.raises(ParameterError, match="columns: .* only folders were given"):
        load_dataset(folder, columns={"label": "diagnosis"})
    with pytest.raises(DataError, match="no such folder"):
        load_dataset(tmp_path / "none", columns={"label": "diagnosis"})


def test_subset(tmp_path):
    data = load_dataset(fill(tmp_path, {"no": 3, "yes": 3}))
    part = data.subset([4, 0])
    assert part.labels == ("tumor", "notumor")
    assert part.groups.tolist() == data.groups[[4, 0]].tolist()
    assert [record.path for record in part] == [data.paths[4], data.paths[0]]
    mask = np.array([label == "tumor" for label in data.labels])
    assert data.subset(mask).paths == data.paths[3:]
    with pytest.raises(ParameterError, match="out of range"):
        data.subset([6])
    with pytest.raises(ParameterError, match="does not fit"):
        data.subset(mask[:3])
    with pytest.raises(ParameterError, match="'tst' is none of"):
        data.with_splits(["tst"] * 6)
    with pytest.raises(ParameterError, match="5 values for 6 images"):
        data.with_splits([""] * 5)


def test_fingerprint_is_of_the_pixels(tmp_path):
    first = load_dataset(fill(tmp_path / "a", {"no": 3, "yes": 3}))
    second = load_dataset(fill(tmp_path / "b", {"yes": 3, "no": 3}), split=None)
    assert first.fingerprint == second.fingerprint != first.subset([0]).fingerprint


def test_order_of_files_does_not_change_the_groups(tmp_path):
    fill(tmp_path, {"no": 6, "yes": 6})
    data = load_dataset(tmp_path, split=None)
    reverse = load_dataset(data.to_frame().iloc[::-1], split=None)
    assert (reverse.groups[:, None] == reverse.groups).sum() == len(data)


def test_progress_and_quiet(tmp_path):
    calls = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_dataset(fill(tmp_path, {"no": 3, "yes": 3}), progress=lambda *n: calls.append(n))
    assert calls == [(6, 6)]


def test_loading_needs_numpy_and_pillow_only():
    code = (
        "import sys, mri_tumor.data; "
        "print({'tensorflow', 'keras', 'scipy', 'sklearn', 'pandas', 'matplotlib'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.data
@pytest.mark.slow
def test_real_data(real_data):
    data = load_dataset(real_data / "brain-tumor-mri" / "Training")
    assert len(data) == 5708
    assert data.counts()["train"] == {
        "glioma": 925, "meningioma": 937, "notumor": 1113, "pituitary": 1020
    }  # fmt: skip
    # No cluster has grown by chaining unrelated images.
    assert np.bincount(data.groups).max() < 60


def test_a_folder_that_cannot_be_read_is_no_missing_class(tmp_path, monkeypatch):
    fill(tmp_path, {"glioma": 2, "notumor": 2})
    listed = os.scandir

    def closed(path):
        if Path(path).name == "glioma":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(DataError, match=r"glioma: this folder cannot be read \(Permission denied"):
        load_dataset(tmp_path, split=None)


def test_names_that_are_no_utf8_come_back_from_the_table(tmp_path):
    fill(tmp_path, {"yes": 3, "no": 3})
    old = tmp_path / "yes" / os.fsdecode(b"scan\xe9.png")
    (tmp_path / "yes" / "0.png").rename(old)
    data = load_dataset(tmp_path, split=None)
    assert str(old) in data.paths
    table = tmp_path / "table.csv"
    table.write_bytes(safe_table(data.to_frame().assign(use="")))
    for source in (data.to_frame(), table):
        again = load_dataset(source, split=None)
        assert again.paths == data.paths
        assert again.content_hashes == data.content_hashes
    note = "é" * 300  # longer than the name of any file
    table.write_text(f"path,label,note\nyes/1.png,yes,{note}\nno/1.png,no,\n", encoding="utf-8")
    assert len(load_dataset(table, split=None)) == 2
    # A table that another program wrote in another encoding is still none to be guessed at.
    table.write_bytes("path,label\nyes/1.png,\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match="cannot be read as a CSV file"):
        load_dataset(table, split=None)


def test_a_space_behind_a_folders_name_does_not_matter(tmp_path):
    data = load_dataset(fill(tmp_path, {"yes ": 3, "no": 3}), split=None)
    assert data.labels.count("tumor") == 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_among_the_images_is_left_out(tmp_path):
    fill(tmp_path, {"yes": 3, "no": 3})
    os.mkfifo(tmp_path / "yes" / "pipe.png")
    with pytest.warns(DataWarning, match="no regular file"):
        data = load_dataset(tmp_path, split=None)
    assert len(data) == 6


def test_masks_and_indices_of_tables(tmp_path):
    data = load_dataset(fill(tmp_path, {"yes": 2, "no": 2}), split=None)
    for mask in (pd.Series([True, False, False, True], dtype=object), [True, False, False, True]):
        assert data.subset(mask).paths == (data.paths[0], data.paths[3])
    assert data.subset(pd.Series([3, 0], dtype=object)).paths == (data.paths[3], data.paths[0])
    assert len(data.subset([])) == 0
    for wrong in ([0.9, 1.9], ["1", "2"]):
        with pytest.raises(ParameterError, match="whole numbers"):
            data.subset(wrong)
