"""`predict` and `explain` on trees and volumes, with a network that is a mean."""

import csv
import json

import numpy as np
import pytest
from click.exceptions import Abort
from click.testing import CliRunner
from PIL import Image
from scan_samples import dicom

from mri_tumor.answers import Answering, DecisionRule, PredictsFromImages
from mri_tumor.cli import explain as explaining
from mri_tumor.cli import predict as predicting
from mri_tumor.cli.main import commands
from mri_tumor.errors import CheckpointError, ImageError
from mri_tumor.explain.heatmap import Heatmap
from mri_tumor.images.collection import as_collection
from mri_tumor.images.preprocessing import Preprocessing

RULE = DecisionRule(classes=("notumor", "tumor"), negative_class="notumor")


class Mean(PredictsFromImages):
    classes_ = np.array(RULE.classes)
    seen = 0
    fails_at = None

    def _answering(self, threshold=None):
        def network(values):
            type(self).seen += len(values)
            if self.fails_at is not None and self.seen >= self.fails_at:
                raise KeyboardInterrupt
            mean = values.mean(axis=(1, 2, 3), dtype=np.float64)[:, None] / 255
            return mean, values[:, :1, :1].astype(np.float32)

        return Answering(
            network=network, preprocessing=Preprocessing(size=32), rule=RULE, batch_size=4
        )

    def explain(self, X, *, target, method):
        images = as_collection(X)
        return [
            Heatmap(image / 255.0, target=target, method=method, image=image)
            for image in (images.read(i) for i in range(len(images)))
        ]


@pytest.fixture(autouse=True)
def no_framework(monkeypatch):
    monkeypatch.setattr(Mean, "seen", 0)
    for module in (predicting, explaining):
        monkeypatch.setattr(module, "load_predictor", lambda _: Mean())


@pytest.fixture
def tree(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(23):
        place = tmp_path / "scans" / str(i % 3)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40)).astype(np.uint8)).save(
            place / f"{i:02d}.png"
        )
    (tmp_path / "scans" / "1" / "bad.png").write_bytes(b"\x89PNG")
    pages = [Image.fromarray(np.full((40, 50), 20 * at, np.uint8)) for at in range(1, 9)]
    pages[0].save(tmp_path / "scans" / "v.tiff", save_all=True, append_images=pages[1:])
    (tmp_path / "scans" / "out.png").symlink_to("/etc/hostname")
    return tmp_path / "scans"


def run(*arguments, expect=0):
    result = CliRunner().invoke(commands, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    assert (result.return_value or 0) == expect
    return result


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_stopped_prediction_goes_on_and_ends_the_same(tree, tmp_path, monkeypatch, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    whole, stopped = tmp_path / f"whole{suffix}", tmp_path / f"stopped{suffix}"
    run("predict", tree, "--output", whole)
    for at in (5, 4, 9):
        with monkeypatch.context() as patch:
            patch.setattr(Mean, "seen", 0)
            patch.setattr(Mean, "fails_at", at)
            with pytest.raises(Abort):
                run("predict", tree, "--output", stopped, "--resume")
    result = run("predict", tree, "--output", stopped, "--resume")
    assert "Going on behind" in result.stderr
    assert stopped.read_bytes() == whole.read_bytes()
    assert not [path.name for path in tmp_path.glob("*part*")]


def test_every_file_has_its_row_and_what_is_left_out_is_told(tree, tmp_path):
    result = run("predict", tree, "--output", tmp_path / "a.csv", "--json")
    report = json.loads(result.stdout)
    assert report["counts"] == {"ok": 24, "error": 1}
    assert "out.png: is a link out of the folder" in result.stderr
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 23 + 1 + 8 + 1
    assert rows[-1]["kind"] == "volume"
    assert float(rows[-1]["tumor_probability"]) == pytest.approx(150 / 255, abs=0.2)
    run("predict", tree, "--output", tmp_path / "b.csv", "--strict", expect=3)


def test_rows_on_the_screen(tree):
    rows = [json.loads(line) for line in run("predict", tree, "--json").stdout.splitlines()]
    assert [row.get("kind") for row in rows[-9:]] == ["slice"] * 8 + ["volume"]
    assert rows[-1]["slices"] == 8
    assert rows[-1]["decided_by"] == [6, 7]
    text = run("predict", tree)
    assert "v.tiff [slice 3]" in text.stdout
    assert text.stderr.splitlines()[-2].startswith("25 images, 1 without an answer.")


def series(folder, places, *, uid="1.2.3"):
    """Write slices of a series; each is as bright as its place says."""
    folder.mkdir(parents=True, exist_ok=True)
    for at in places:
        pixels = np.full((32, 40), 10 * at + 10, np.uint8)
        (folder / f"{uid}-{at}.dcm").write_bytes(
            dicom(
                pixels, SeriesInstanceUID=uid, SOPInstanceUID=f"{uid}.{at}", InstanceNumber=at,
                ImagePositionPatient=[0.0, 0.0, 5.0 * at],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[1.0, 1.0],
            )
        )  # fmt: skip


def rows_in(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_series_that_grew_keeps_its_rows_and_is_told(tmp_path):
    scans, output = tmp_path / "scans", tmp_path / "a.jsonl"
    series(scans / "two", range(2))
    series(scans / "one", range(1))
    command = ("predict", scans, "--output", output)
    run(*command)
    before = output.read_bytes()
    assert [row.get("kind") for row in rows_in(output)] == [None, "slice", "slice", "volume"]
    run(*command, "--resume")
    assert output.read_bytes() == before
    # A slice more in each: of neither a row is doubled, and both are named.
    series(scans / "two", [2])
    series(scans / "one", [1])
    result = run(*command, "--resume")
    assert output.read_bytes() == before
    for name in ("one", "two"):
        assert f"{name}: has other slices than when its rows were written" in result.stderr
    # What is new is answered for, and a second series renames the first, which is not asked again.
    series(scans / "new", range(3))
    (scans / "two" / "1.2.3-2.dcm").unlink()
    series(scans / "two", range(3), uid="1.2.4")
    result = run(*command, "--resume")
    assert output.read_bytes().startswith(before)
    added = rows_in(output)[4:]
    assert [row["file"] for row in added if row.get("kind") == "volume"] == [
        str(scans / "new"), f"{scans / 'two'} [series 1]",
    ]  # fmt: skip
    assert len(added) == 8
    assert "two" not in result.stderr


def test_a_plane_is_one_of_the_settings(tree, tmp_path):
    run("predict", tree, "--output", tmp_path / "a.csv")
    with pytest.raises(CheckpointError, match="plane None, and now it is 'coronal'"):
        run("predict", tree, "--output", tmp_path / "a.csv", "--plane", "coronal", "--resume")


def test_an_output_is_not_written_over(tree, tmp_path):
    run("predict", tree, "--output", tmp_path / "a.jsonl")
    with pytest.raises(CheckpointError, match="--resume"):
        run("predict", tree, "--output", tmp_path / "a.jsonl")


def test_nothing_to_do_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match="no image"):
        run("predict", tmp_path / "empty")


def test_a_volume_is_explained_by_one_picture(tree, tmp_path):
    result = run("explain", tree / "v.tiff", tree / "0" / "00.png", "--method", "grad_cam",
                 "--output", tmp_path / "maps", "--json")  # fmt: skip
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.get("kind") for row in rows] == ["volume", None]
    assert rows[0]["peak_slice"] == 7
    picture = np.asarray(Image.open(rows[0]["picture"]))
    assert picture.shape[1] > 3 * 50
    assert len(list((tmp_path / "maps").iterdir())) == 2


def test_a_damaged_slice_is_left_out_of_a_picture(tmp_path):
    series(tmp_path / "scans" / "a", range(5))
    series(tmp_path / "scans" / "b", range(2))
    bad = tmp_path / "scans" / "a" / "1.2.3-2.dcm"
    bad.write_bytes(bad.read_bytes()[:-500])
    command = ("explain", tmp_path / "scans", "--method", "grad_cam", "--json")
    result = run(*command, "--output", tmp_path / "maps")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["peak_slice"] for row in rows] == [4, 1]
    four, two = (np.asarray(Image.open(row["picture"])).size for row in rows)
    assert four > two
