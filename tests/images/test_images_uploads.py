"""Files that are in memory only: what they are, and that nothing of them touches the disk."""

import gzip
import tempfile

import nibabel
import numpy as np
import pytest
from pydicom.uid import generate_uid
from scan_samples import SECRET, dicom, ramp, saved

from mri_tumor.errors import ImageError
from mri_tumor.images import read_image, read_volume
from mri_tumor.images.scans import Slice, find_scans, uploaded_scans
from mri_tumor.images.sources import Upload

PNG = saved(ramp(), "PNG")
BODY = np.random.default_rng(0).integers(0, 1000, (20, 24, 18)).astype(np.int16)
NIFTI = gzip.compress(nibabel.Nifti1Image(BODY, np.eye(4)).to_bytes())


@pytest.fixture(autouse=True)
def no_file_is_written(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a scratch file was opened")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr("mri_tumor.images.stores._IN_MEMORY", 1000)


def series(count=3, uid="1.2.3.4"):
    """Slices in the wrong order; the darkest pixel tells which is which."""
    for at in reversed(range(count)):
        tags = {
            "SOPInstanceUID": generate_uid(entropy_srcs=[uid, str(at)]),
            "SeriesInstanceUID": uid,
            "ImagePositionPatient": [0, 0, 5.0 * at],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [1.0, 1.0],
            "WindowCenter": 1000,
            "WindowWidth": 2000,
        }
        pixels = ramp(dtype=np.uint16) * 9 + at * 100
        yield Upload(f"folder/{at}.dcm", dicom(pixels, **tags))


def test_an_upload_reads_as_the_same_file_on_disk(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    np.testing.assert_array_equal(read_image(Upload("x.png", PNG)), read_image(tmp_path / "a.png"))
    with pytest.raises(ImageError, match=r"^dir/b\.png: "):
        read_image(Upload("dir/b.png", b"nothing"))


def test_images_and_volumes_are_told_apart_in_order():
    uploads = [Upload("a.png", PNG), Upload("b.nii.gz", NIFTI), *series(), Upload("c.txt", b"hi")]
    scans = list(uploaded_scans(uploads))
    assert [scan.name for scan in scans] == ["a.png", "b.nii.gz", "series", "c.txt"]
    assert [len(list(scan.pictures())) for scan in scans] == [1, 18, 3, 1]
    with pytest.raises(ImageError, match=r"c\.txt"):
        next(scans[-1].pictures()).decode()


def test_a_series_is_in_order_with_its_distances():
    (scan,) = uploaded_scans(list(series()))
    slices = list(scan.pictures())
    assert all(isinstance(one, Slice) and one.spacing == 5.0 for one in slices)
    assert [one.name for one in slices] == ["folder/0.dcm", "folder/1.dcm", "folder/2.dcm"]
    levels = [int(one.decode().min()) for one in slices]
    assert levels == sorted(levels)
    assert len(set(levels)) == 3
    assert SECRET not in repr((scan, slices))


def test_two_series_are_two_volumes_and_one_image_is_an_image():
    uploads = [*series(2, "1.2.1"), *series(3, "1.2.2")]
    assert [scan.name for scan in uploaded_scans(uploads)] == ["series 1", "series 2"]
    (single,) = uploaded_scans(list(series(1)))
    assert single.name == "folder/0.dcm"
    assert single.open is None


def test_a_packed_volume_stays_in_memory_and_is_cut_as_asked():
    (scan,) = uploaded_scans([Upload("b.nii.gz", NIFTI)], plane="coronal")
    pictures = list(scan.pictures())
    with read_volume(NIFTI, plane="coronal", in_memory=True) as volume:
        np.testing.assert_array_equal(pictures[5].decode(), volume[5])
    with pytest.raises(AssertionError, match="scratch"):
        read_volume(NIFTI)


def test_limits_hold_before_anything_is_unpacked():
    (scan,) = uploaded_scans([Upload("b.nii.gz", NIFTI)], max_volume_bytes=2000)
    with pytest.raises(ImageError, match="over the limit"):
        next(scan.pictures()).decode()
    (image,) = uploaded_scans([Upload("a.png", PNG)], max_bytes=20)
    with pytest.raises(ImageError, match="limit"):
        next(image.pictures()).decode()


def test_the_scans_of_a_folder_are_those_of_its_files(tmp_path):
    for upload in [Upload("folder/a.png", PNG), *series()]:
        (tmp_path / upload.name).parent.mkdir(exist_ok=True)
        (tmp_path / upload.name).write_bytes(upload.data)
    on_disk = [list(scan.pictures()) for scan in find_scans([tmp_path])]
    uploads = [*series(), Upload("folder/a.png", PNG)]
    in_memory = [list(scan.pictures()) for scan in uploaded_scans(uploads)]
    for one, other in zip(on_disk, in_memory, strict=True):
        for picture, twin in zip(one, other, strict=True):
            np.testing.assert_array_equal(picture.decode(), twin.decode())
