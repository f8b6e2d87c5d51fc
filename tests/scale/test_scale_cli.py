"""`mri-tumor predict` into a folder of parts."""

import json

import click
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from mri_tumor import make_phantoms
from mri_tumor.cli.main import commands
from mri_tumor.errors import CheckpointError


def run(*arguments, expect=0):
    result = CliRunner().invoke(commands, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    assert (result.return_value or 0) == expect
    return result


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for i, image in enumerate(make_phantoms(3, size=96).images):
        Image.fromarray(image).save(folder / f"{i}.png")
    (folder / "broken.png").write_bytes(b"")
    return folder


def test_a_name_without_an_ending_is_a_folder_of_parts(scans, tmp_path):
    output = tmp_path / "scores"
    result = run("predict", scans, "--output", output, "--strict", expect=3)
    assert (
        "4 images, 1 without an answer. Research software, not a medical device." in result.stderr
    )
    rows = pq.read_table(output / "part-00000000.parquet").to_pylist()
    run("predict", scans, "--output", tmp_path / "rows.parquet")
    one_file = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [{k: v for k, v in row.items() if k != "model_sha256"} for row in rows] == one_file
    with pytest.raises(CheckpointError, match="was begun already"):
        run("predict", scans, "--output", output)
    again = run("predict", scans, "--output", output, "--resume", "--json")
    assert "1 of 1 parts were there already." in again.stderr
    report = json.loads(again.stdout)
    assert (report["rows"], report["resumed"]) == (4, 1)
    assert report["model_sha256"] == rows[0]["model_sha256"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "ray", "--output", "rows.csv"), "without an ending"),
        (("--engine", "ray"), "without an ending"),
        (("--workers", "2", "--output", "scores"), "--workers is for --engine"),
        (("s3://bucket/scans",), "A URL is scored into a folder"),
        (("s3://bucket/scans", "--output", "rows.csv"), "A URL is scored into a folder"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(scans, arguments, message):
    with pytest.raises(click.UsageError, match=message):
        run("predict", scans, *arguments)
