"""Volumes among the files of a tree: found, answered slice by slice, and as a whole."""

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import generate_uid
from scan_samples import dicom, nifti, ramp

from mri_tumor.answers import Answering, DecisionRule
from mri_tumor.answers.volumes import combine, rows_of_scans
from mri_tumor.assessment import refused
from mri_tumor.images.preprocessing import Preprocessing
from mri_tumor.images.scans import find_scans

RULE = DecisionRule(classes=("notumor", "tumor"), negative_class="notumor")


def constant(values):
    mean = values.mean(axis=(1, 2, 3), dtype=np.float64)[:, None] / 255
    return mean, values[:, :1, :1].astype(np.float32)


ANSWERING = Answering(network=constant, preprocessing=Preprocessing(size=32), rule=RULE)


def write_slice(path, at, **tags):
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {
        "ImagePositionPatient": [0.0, 0.0, 5.0 * at],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [1.0, 1.0],
        "SOPInstanceUID": generate_uid(entropy_srcs=[str(path)]),
    }
    path.write_bytes(dicom(ramp(dtype=np.uint16) * 9 + at, **{**place, **tags}))


@pytest.fixture
def tree(tmp_path):
    for at in range(3):
        write_slice(tmp_path / "series" / f"{9 - at}", at)
    write_slice(tmp_path / "series" / "other", 0, SeriesInstanceUID="1.2.3.9", SeriesNumber=4)
    (tmp_path / "series" / "sub").mkdir()
    Image.fromarray(ramp()).save(tmp_path / "series" / "sub" / "picture.png")
    write_slice(tmp_path / "two" / "a", 0)
    write_slice(tmp_path / "two" / "b", 1)
    write_slice(tmp_path / "two" / "c", 0, SeriesInstanceUID="1.2.3.9", SeriesNumber=4)
    write_slice(tmp_path / "two" / "d", 1, SeriesInstanceUID="1.2.3.9", SeriesNumber=4)
    rows = np.arange(40 * 40 * 4, dtype=np.int16).reshape(40, 40, 4)
    (tmp_path / "brain.nii.gz").write_bytes(nifti(rows, packed=True))
    (tmp_path / "broken.nii").write_bytes(nifti(rows)[:400])
    return tmp_path


def rows_of(tree, **options):
    pictures = (p for scan in find_scans([tree], **options) for p in scan.pictures())
    return [row for rows in rows_of_scans(ANSWERING.assess_stream(pictures), RULE) for row in rows]


def test_every_image_is_in_one_scan(tree):
    names = [str(scan.name).removeprefix(f"{tree}/") for scan in find_scans([tree])]
    assert names == [
        "brain.nii.gz", "broken.nii", "series", "series/other", "series/sub/picture.png",
        "two [series 0]", "two [series 1]",
    ]  # fmt: skip


def test_a_volume_has_a_row_for_each_slice_and_one_for_itself(tree):
    rows = rows_of(tree)
    kinds = [(row["file"].removeprefix(f"{tree}/"), row.get("kind"), row.get("slice"))
             for row in rows]  # fmt: skip
    assert kinds[:5] == [("brain.nii.gz", "slice", at) for at in range(4)] + [
        ("brain.nii.gz", "volume", None)
    ]
    assert kinds[5] == ("broken.nii", None, None)
    assert rows[5]["status"] == "error"
    # A series in the order of its places, by the file of each slice.
    assert [name for name, _, _ in kinds[6:10]] == ["series/9", "series/8", "series/7", "series"]
    assert rows[9]["slices"] == 3
    assert len(rows) == 6 + 4 + 2 + 3 + 3


def test_damaged_and_repeated_files_of_a_series_keep_their_rows(tree):
    (tree / "two" / "e").write_bytes((tree / "two" / "a").read_bytes())
    (tree / "two" / "f").write_bytes((tree / "two" / "a").read_bytes()[:300])
    files = [row["file"].removeprefix(f"{tree}/two/") for row in rows_of(tree / "two")]
    assert {"a", "b", "c", "d", "e", "f"} <= {file.rsplit("/", 1)[-1] for file in files}


def test_two_images_at_one_place_are_images(tmp_path):
    for name in "abc":
        write_slice(tmp_path / name, 0)
    assert len(list(find_scans([tmp_path]))) == 3 == len(rows_of(tmp_path))


def test_the_plane_cuts_a_nifti_volume(tree):
    rows = rows_of(tree / "brain.nii.gz", plane="coronal")
    assert len(rows) == 41


def assessed(*tumor):
    return [
        refused("s", "no brain") if p is None else RULE.assess("s", np.array([1 - p, p]))
        for p in tumor
    ]


def test_the_volume_is_the_best_run_of_neighbours():
    slices = assessed(0.1, 0.9, 0.1, 0.6, 0.7, 0.2)
    whole, run = combine(slices, RULE, name="v")
    assert whole.tumor_probability == pytest.approx(0.65)
    assert list(run) == [3, 4]
    # 10 mm are four slices of 2.5 mm: (0.9 + 0.1 + 0.6 + 0.7) / 4.
    whole, run = combine(slices, RULE, name="v", spacing=2.5)
    assert whole.tumor_probability == pytest.approx(0.575)
    assert list(run) == [1, 2, 3, 4]


def test_one_mistaken_slice_is_no_tumor():
    whole, _ = combine(assessed(*[0.02] * 10, 0.95, *[0.02] * 10), RULE, name="v")
    assert whole.label == "notumor"


def test_slices_without_an_answer_are_left_out():
    whole, run = combine(assessed(None, 0.8, None, 0.6, None), RULE, name="v")
    assert whole.tumor_probability == pytest.approx(0.7)
    assert (run[0], run[-1]) == (1, 3)
    whole, run = combine(assessed(None, None), RULE, name="v")
    assert whole.status == "refused"
    assert not run
    assert combine(assessed(0.3), RULE, name="v")[0].tumor_probability == pytest.approx(0.3)
