"""What predicting needs, installed into an environment of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from drawing import blobs
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def run(*command):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Python of a fresh environment with the documented packages and the library alone."""
    folder = tmp_path_factory.mktemp("small") / "venv"
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet")
    try:
        run(*pip, "-r", ROOT / "requirements-predict.txt")
        run(*pip, "--no-deps", ROOT)
    except AssertionError as error:
        if "onnection" in str(error) or "resolution" in str(error):
            pytest.skip("no package registry can be reached")
        raise
    return python


def test_the_documented_packages_are_enough(fitted, small, tmp_path):
    model = fitted.save(tmp_path / "model", runtime=True)
    images, _ = blobs(3, seed=2)
    scans = tmp_path / "scans"
    scans.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(scans / f"{i}.png")
    program = small.parent / "mri-tumor"
    rows = run(program, "predict", scans, "--model", model, "--json").splitlines()
    found = [json.loads(row) for row in rows]
    assert [row["label"] for row in found] == fitted.predict(images).tolist()
    table = tmp_path / "answers.csv"
    run(program, "predict", scans, "--model", model, "--output", table)
    assert len(table.read_text().splitlines()) >= len(images)
    row = json.loads(
        run(program, "explain", scans / "0.png", "--model", model, "--output", tmp_path / "maps",
            "--json")
    )  # fmt: skip
    assert Path(row["picture"]).is_file()


def test_it_stays_small_and_says_what_training_lacks(small, tmp_path):
    packages = {
        entry["name"].lower()
        for entry in json.loads(run(small, "-m", "pip", "list", "--format", "json"))
    }
    assert not packages & {"tensorflow", "keras", "scipy", "scikit-learn", "pandas"}
    done = subprocess.run(
        [small.parent / "mri-tumor", "train", tmp_path, "--output", tmp_path / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install mri-tumor" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_how_to_names_the_packages_that_are_listed():
    lines = (ROOT / "requirements-predict.txt").read_text().splitlines()
    listed = {line.split(">")[0] for line in lines if line and not line.startswith("#")}
    text = (ROOT / "docs/how-to/small-machine.md").read_text()
    command = next(line for line in text.splitlines() if line.startswith("pip install numpy"))
    assert set(command.split("&&")[0].split()[2:]) == listed
