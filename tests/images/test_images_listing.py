"""Folders: every image once, in order, and nothing from outside."""

import inspect
import os
import sys

import pytest
from scan_samples import dicom, nifti, ramp, saved

from mri_tumor.errors import ImageError
from mri_tumor.images import list_images


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "scans"
    for name, content in {
        "b.png": saved(ramp(), "PNG"),
        "a/2.JPG": saved(ramp(), "JPEG"),
        "a/1.jpeg": b"broken",
        "a/deep/IM0001": dicom(ramp()),
        "a/deep/1.2.840.33": dicom(ramp()),
        "c.nii.gz": nifti(ramp()[..., None].astype("i2"), packed=True),
        "empty.png": b"",
        "notes.txt": b"no image",
        "table.csv": b"a,b",
        ".hidden.png": saved(ramp(), "PNG"),
        "a/._1.jpeg": b"\0\x05\x16\x07",
        "a/DICOMDIR": dicom(ramp()),
        "z/x.tiff": saved(ramp(), "TIFF"),
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def names(root, found):
    return [path.relative_to(root).as_posix() for path in found]


def test_images_come_sorted_and_broken_ones_too(tree):
    expected = [
        "a/1.jpeg", "a/2.JPG", "a/deep/1.2.840.33", "a/deep/IM0001",
        "b.png", "c.nii.gz", "empty.png", "z/x.tiff",
    ]  # fmt: skip
    assert names(tree, list_images(tree)) == expected
    assert names(tree, list_images(str(tree))) == expected
    assert names(tree, list_images(tree, recursive=False)) == ["b.png", "c.nii.gz", "empty.png"]


def test_links_out_of_the_folder_are_not_followed(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(saved(ramp(), "PNG"))
    (tree / "k1.png").symlink_to(outside / "secret.png")
    (tree / "k2").symlink_to(outside)
    (tree / "k3").symlink_to(tree)  # would never end
    (tree / "k4.png").symlink_to(tree / "b.png")
    (tree / "k5.png").symlink_to(tree / "gone.png")
    (tree / "k6.png").symlink_to("../scans/../outside/secret.png")
    skipped = []
    found = names(
        tree, list_images(tree, on_skip=lambda path, why: skipped.append((path.name, why)))
    )
    assert [name for name in found if name.startswith("k")] == ["k4.png"]
    assert skipped == [
        ("k1.png", "is a link out of the folder"),
        ("k2", "is a link out of the folder"),
        ("k3", "is a link to a folder"),
        ("k5.png", "is a broken link"),
        ("k6.png", "is a link out of the folder"),
    ]
    # A folder that is itself a link is what was asked for.
    (tmp_path / "link").symlink_to(tree)
    assert len(list(list_images(tmp_path / "link"))) == len(found)


def test_pipes_are_left_out(tree):
    os.mkfifo(tree / "pipe.png")
    assert "pipe.png" not in names(tree, list_images(tree))


def test_it_streams(tree):
    found = list_images(tree)
    assert next(found).name == "1.jpeg"
    (tree / "b.png").unlink()
    (tree / "z" / "later.png").write_bytes(b"x")
    assert "later.png" in [path.name for path in found]


def test_trees_may_be_deeper_than_python_s_stack(tmp_path):
    path = tmp_path.joinpath(*["d"] * 200)
    path.mkdir(parents=True)
    (path / "a.png").write_bytes(b"x")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 60)
    try:
        assert len(list(list_images(tmp_path))) == 1
    finally:
        sys.setrecursionlimit(limit)


def test_what_is_no_folder(tree):
    with pytest.raises(ImageError, match=r"b\.png: is no folder"):
        list_images(tree / "b.png")
    with pytest.raises(ImageError, match="does not exist"):
        list_images(tree / "gone")


def test_folders_that_cannot_be_read(tree, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ImageError, match=r"deep: cannot be read \(Permission denied\)"):
        list(list_images(tree))
    skipped = []
    assert len(list(list_images(tree, on_skip=lambda *what: skipped.append(what)))) == 6
    assert len(skipped) == 1
