"""A folder of DICOM files as one volume, in order."""

import logging

import numpy as np
import pytest
from pydicom.uid import generate_uid
from scan_samples import SECRET, dicom, ramp, saved

from mri_tumor.errors import ImageError
from mri_tumor.images import is_volume, read_image, read_volume

DEEP = ramp(dtype=np.uint16) * 9
AXIAL, CORONAL, SAGITTAL = (
    [1, 0, 0, 0, 1, 0],
    [1, 0, 0, 0, 0, -1],
    [0, 1, 0, 0, 0, -1],
)


@pytest.fixture(autouse=True)
def nothing_about_the_patient(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text
    out, err = capfd.readouterr()
    assert SECRET not in out + err


def write(folder, name, level, *, syntax="explicit", **tags):
    """Write a slice whose brightness tells which it is."""
    tags.setdefault("SOPInstanceUID", generate_uid(entropy_srcs=[name]))
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dicom(DEEP + level, syntax, WindowCenter=1000, WindowWidth=2000, **tags))
    return path


def levels(volume):
    """Tell the slices by their darkest pixel."""
    return [int(slice_.min()) for slice_ in volume]


@pytest.mark.parametrize(
    ("orientation", "axis", "sign", "plane"),
    [(AXIAL, 2, 1, "axial"), (CORONAL, 1, -1, "coronal"), (SAGITTAL, 0, -1, "sagittal")],
)
def test_slices_are_ordered_by_place_whatever_their_names_and_numbers(
    tmp_path, orientation, axis, sign, plane
):
    # DICOM counts to the left and backwards; slices go right, forward and up.
    for at, name in enumerate(["c", "a", "e.dcm", "sub/b", "d"]):
        position = [0.0, 0.0, 0.0]
        position[axis] = sign * 5.0 * at
        write(
            tmp_path, name, at * 100, InstanceNumber=9 - at, PixelSpacing=[0.8, 0.8],
            ImagePositionPatient=position, ImageOrientationPatient=orientation,
        )  # fmt: skip
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / ".DS_Store").write_bytes(b"\0\0")
    assert is_volume(tmp_path)
    with read_volume(tmp_path) as volume:
        assert len(volume) == 5
        found = levels(volume)
        assert found == sorted(found)
        assert len(set(found)) == 5
        assert volume.plane == plane
        assert volume.spacing == (5.0, 0.8, 0.8)
        assert [path.rsplit("/", 1)[1] for path in volume.files] == ["c", "a", "e.dcm", "b", "d"]
        for path, slice_ in zip(volume.files, volume, strict=True):
            np.testing.assert_array_equal(read_image(path), slice_)
    assert len(read_volume(str(tmp_path), plane=plane)) == 5
    other = "axial" if plane != "axial" else "coronal"
    with pytest.raises(ImageError, match=f"acquired in the {plane} plane"):
        read_volume(tmp_path, plane=other)


def test_oblique_slices(tmp_path):
    turn = np.radians(20)
    column = [0, np.cos(turn), np.sin(turn)]
    normal = np.cross([1, 0, 0], column)
    for at in range(4):
        place = [float(part) for part in np.round(normal * 3 * at, 6)]
        write(
            tmp_path, f"{9 - at}", at * 100, ImagePositionPatient=place,
            ImageOrientationPatient=[1, 0, 0, *[float(part) for part in column]],
        )  # fmt: skip
    volume = read_volume(tmp_path)
    assert levels(volume) == sorted(levels(volume))
    assert volume.plane == "axial"


def test_without_places_the_instance_number_decides(tmp_path):
    for at in range(12):
        write(tmp_path, f"IM{11 - at}", at * 50, InstanceNumber=at + 1)
    volume = read_volume(tmp_path)
    assert levels(volume) == sorted(levels(volume))
    assert volume.plane is None
    assert volume.spacing is None
    with pytest.raises(ImageError, match="does not tell its plane"):
        read_volume(tmp_path, plane="axial")


def test_three_planes_in_one_series_are_ordered_by_instance_number(tmp_path):
    for at, orientation in enumerate([SAGITTAL, AXIAL, CORONAL]):
        write(
            tmp_path, f"{2 - at}", at * 100, InstanceNumber=at,
            ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=orientation,
        )  # fmt: skip
    volume = read_volume(tmp_path)
    assert levels(volume) == sorted(levels(volume))
    assert volume.plane is None


def placed(at, **tags):
    return {"ImagePositionPatient": [0, 0, at], "ImageOrientationPatient": AXIAL, **tags}


def test_several_images_at_each_place(tmp_path):
    for at in range(3):
        for echo in range(2):
            write(
                tmp_path, f"{at}-{1 - echo}", echo * 300 + at * 50,
                **placed(at, EchoNumbers=echo, InstanceNumber=at * 2 + echo),
            )  # fmt: skip
    with pytest.raises(ImageError, match=r"holds 2 images at each place.*volume=0"):
        read_volume(tmp_path)
    first, second = (levels(read_volume(tmp_path, volume=number)) for number in (0, 1))
    assert max(first) < min(second)
    assert first == sorted(first)
    with pytest.raises(ImageError, match="no volume 2"):
        read_volume(tmp_path, volume=2)
    write(tmp_path, "more", 0, **placed(0, EchoNumbers=5))
    with pytest.raises(ImageError, match="7 images at 3 places, unequally many"):
        read_volume(tmp_path)


def test_copies_count_once(tmp_path):
    for at in range(3):
        for copy in ("", "copy of "):
            write(tmp_path, f"{copy}{at}", at, **placed(at, SOPInstanceUID=f"1.2.3.{at}"))
    assert len(read_volume(tmp_path)) == 3


def test_several_series_are_listed_without_names(tmp_path):
    for at in range(2):
        write(
            tmp_path, f"a{at}", at,
            **placed(at, SeriesInstanceUID="1.9", SeriesNumber=7, SeriesDescription=SECRET),
        )  # fmt: skip
    for at in range(3):
        write(tmp_path, f"b{at}", at, SeriesInstanceUID="1.8", SeriesNumber=2)
    with pytest.raises(ImageError, match="holds 2 series") as caught:
        read_volume(tmp_path)
    words = str(caught.value)
    assert "0: 3 images of 48 x 32; 1: 2 images of 48 x 32, axial" in words
    assert SECRET not in words
    assert "1.9" not in words
    assert len(read_volume(tmp_path, series=0)) == 3
    assert len(read_volume(tmp_path, series=1)) == 2
    with pytest.raises(ImageError, match="no series 2: it holds 2"):
        read_volume(tmp_path, series=2)


def test_other_modalities_are_left_out(tmp_path):
    for at in range(2):
        write(tmp_path, f"{at}", at, **placed(at))
    write(tmp_path, "ct", 0, Modality="CT")
    assert len(read_volume(tmp_path)) == 2
    for at in range(2):
        (tmp_path / f"{at}").unlink()
    with pytest.raises(ImageError, match="ct: is CT"):
        read_volume(tmp_path)
    assert len(read_volume(tmp_path, allow_modality="CT")) == 1


def test_damaged_slices_are_not_left_out_silently(tmp_path):
    paths = [write(tmp_path, f"{at}", at * 10, **placed(at)) for at in range(3)]
    whole = paths[1].read_bytes()
    paths[1].write_bytes(whole[:-100])
    volume = read_volume(tmp_path)
    assert len(volume) == 3
    with pytest.raises(ImageError, match=r"1: is a DICOM file that ends early"):
        volume[1]
    for end, words in ((400, "damaged|ends before"), (len(whole) - 3500, "ends before")):
        paths[1].write_bytes(whole[:end])
        with pytest.raises(ImageError, match=rf"/1: .*({words})"):
            read_volume(tmp_path)
    write(tmp_path, "1", 0, **placed(1, Rows=None))
    with pytest.raises(ImageError, match="1: lacks the tag Rows"):
        read_volume(tmp_path)


def test_slices_without_windows_share_one(tmp_path):
    for at in range(3):
        path = tmp_path / str(at)
        path.write_bytes(dicom(DEEP // (at + 1), **placed(at, SOPInstanceUID=f"1.2.3.{at}")))
    bright = [int(slice_.max()) for slice_ in read_volume(tmp_path)]
    assert bright[0] == 255
    assert bright[1] == pytest.approx(128, abs=3)
    assert bright[2] == pytest.approx(85, abs=3)


def test_one_file_of_several_frames(tmp_path):
    frames = np.stack([DEEP, DEEP + 300])
    (tmp_path / "enhanced").write_bytes(dicom(frames))
    assert len(read_volume(tmp_path)) == 2
    (tmp_path / "other").write_bytes(dicom(frames, SOPInstanceUID="1.2.9"))
    with pytest.raises(ImageError, match="2 files of several frames each"):
        read_volume(tmp_path)


def test_folders_without_dicom(tmp_path):
    with pytest.raises(ImageError, match="holds no DICOM image"):
        read_volume(tmp_path)
    (tmp_path / "a.png").write_bytes(saved(ramp(), "PNG"))
    with pytest.raises(ImageError, match="holds no DICOM image"):
        read_volume(tmp_path)


def test_any_single_image_is_a_volume_of_one(tmp_path):
    for data in (saved(ramp(), "PNG"), dicom(DEEP)):
        assert not is_volume(data)
        volume = read_volume(data)
        assert len(volume) == 1
        np.testing.assert_array_equal(volume[0], read_image(data))
    assert not is_volume(b"nothing")
    assert not is_volume(tmp_path / "gone")


def test_pages_of_a_tiff(tmp_path):
    from PIL import Image

    images = [Image.fromarray(ramp() // (at + 1)) for at in range(4)]
    path = tmp_path / "stack.tif"
    images[0].save(path, save_all=True, append_images=images[1:])
    assert is_volume(path)
    with read_volume(path) as volume:
        assert len(volume) == 4
        for at in (3, 0, 2):
            np.testing.assert_array_equal(volume[at], ramp() // (at + 1))
    forgotten = read_volume(path)
    del forgotten
