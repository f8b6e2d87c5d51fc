"""The command line, run in a process of its own as a user does, and within this one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mri_tumor.cli.main import commands
from mri_tumor.errors import BundleError, DataError

MAIN = "import sys; from mri_tumor.cli import main; sys.argv[0] = 'mri-tumor'; main()"


def run(*arguments, expect=0):
    """Run in this process, as the console script does but for the error handling."""
    result = CliRunner().invoke(commands, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    assert (result.return_value or 0) == expect
    return result


def call(*arguments):
    """Run in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)], capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(fitted, tmp_path_factory):
    return fitted.save(tmp_path_factory.mktemp("cli") / "model")


@pytest.fixture
def scans(tmp_path, blob_images):
    folder = tmp_path / "scans"
    folder.mkdir()
    for i in (0, 20):
        Image.fromarray(blob_images[0][i]).save(folder / f"{i:02d}.png")
    (folder / "30.png").write_bytes(b"")
    return folder


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_importing_the_package_and_its_help_load_no_framework():
    code = (
        "import sys, mri_tumor; from mri_tumor import load_dataset, list_backbones, read_image;"
        "from mri_tumor.cli.main import commands;"
        "print([n for n in ('tensorflow', 'keras', 'sklearn', 'matplotlib', 'pandas', 'scipy')"
        " if n in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    code = "import sys; import mri_tumor.cli.main; print('numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_every_command_explains_itself():
    for name in commands.commands:
        text = run(name, "--help").output
        assert "--json" in text
        assert "Usage:" in text


def test_predict_gives_a_json_line_for_every_image(scans, model):
    rows = lines(run("predict", scans, "--model", model, "--json"))
    assert [row["file"] for row in rows] == [
        str(scans / n) for n in ("00.png", "20.png", "30.png")
    ]
    assert [row["status"] for row in rows] == ["ok", "ok", "error"]
    assert list(rows[0]) == [
        "file", "label", "tumor_probability", "probabilities", "status", "message",
    ]  # fmt: skip
    assert [row["label"] for row in rows] == ["notumor", "tumor", None]
    assert rows[2]["probabilities"] is None
    assert rows[1]["tumor_probability"] == pytest.approx(rows[1]["probabilities"]["tumor"])


def test_strict_ends_with_three_after_all_rows(scans, model):
    rows = lines(run("predict", scans, "--model", model, "--json", "--strict", expect=3))
    assert len(rows) == 3


def test_the_threshold_can_be_set(scans, model):
    rows = lines(run("predict", scans / "00.png", "--model", model, "--json", "--threshold", "0"))
    assert rows[0]["label"] == "tumor"


def test_explain_adds_the_peak_and_writes_pictures(scans, model, tmp_path):
    out = tmp_path / "maps"
    options = ("--model", model, "--output", out, "--method", "saliency", "--json")
    rows = lines(run("explain", scans, *options))
    assert [row["method"] for row in rows] == ["saliency"] * 3
    assert rows[1]["target"] == "tumor"
    assert all(0 <= value <= 1 for value in rows[1]["peak"])
    assert rows[2]["peak"] is None
    assert len(list(out.glob("*.png"))) == 2
    assert rows[1]["picture"].endswith("00002-20.png")
    before = (out / "00002-20.png").read_bytes()
    again = lines(run("explain", scans / "20.png", scans / "20.png", *options))
    assert [Path(row["picture"]).name for row in again] == ["00001-20.png", "00002-20-2.png"]
    assert (out / "00002-20.png").read_bytes() == before


def test_a_long_name_is_no_reason_to_stop(scans, model, tmp_path):
    folder = tmp_path / "long"
    folder.mkdir()
    name = "ä" * 120 + "b.png"  # 245 bytes
    shutil.copy(scans / "20.png", folder / name)
    options = ("--model", model, "--output", tmp_path / "maps", "--method", "saliency", "--json")
    (row,) = lines(run("explain", folder, *options))
    assert row["status"] == "ok"
    assert Path(row["picture"]).is_file()


def test_explain_takes_several_layers_unless_told_otherwise(scans, model, tmp_path, monkeypatch):
    options = ("--model", model, "--no-pictures", "--json")
    rows = lines(run("explain", scans / "20.png", *options))
    assert rows[0]["method"] == "layer_cam"
    # Where TensorFlow is not installed, by what the runtime can.
    monkeypatch.setattr("mri_tumor.cli.explain.find_spec", lambda _: None)
    rows = lines(run("explain", scans / "20.png", *options))
    assert rows[0]["method"] == "grad_cam"


def test_train_saves_a_model_that_evaluates_as_reported(tiny, blob_folder, tmp_path, monkeypatch):
    (blob_folder / "yes" / "broken.png").write_bytes(b"\x89PNG")
    monkeypatch.chdir(tmp_path)  # paths as most people give them
    out = Path("trained")
    result = run(
        "train", blob_folder.relative_to(tmp_path), "--backbone", "tiny", "--weights", "none",
        "--epochs", 2, "--finetune-epochs", 1, "--output", out, "--json",
    )  # fmt: skip
    found = json.loads(result.stdout)
    assert found["task"] == "binary"
    assert found["dataset"]["n_left_out"] == 1
    assert "broken.png" in found["dataset"]["left_out"][0]["file"]
    assert found["epochs"] == {"head": 2, "finetune": 1}
    for name in ("model.keras", "evaluation.json", "split.csv", "figures/history.png"):
        assert (out / name).stat().st_size > 0
    again = json.loads(
        run("evaluate", out / "split.csv", "--part", "test", "--model", out, "--json").stdout
    )
    assert again["accuracy"] == found["test"]["accuracy"]
    assert again["n_images"] == found["test"]["n_images"]
    assert again["n_trained_on"] == 0


def test_train_strict_stops_at_a_broken_file(tiny, blob_folder, tmp_path):
    (blob_folder / "yes" / "broken.png").write_bytes(b"\x89PNG")
    out = tmp_path / "trained"
    own = ("--backbone", "tiny", "--weights", "none")
    run("train", blob_folder, *own, "--output", out, "--strict", expect=3)
    assert not out.exists()


def test_strict_is_about_files_and_leaks_alone(tiny, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        run("train", tmp_path / "empty", "--backbone", "tiny", "--weights", "none", "--strict")


def test_a_place_that_cannot_be_written_is_told_before_the_training(blob_folder, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("hi")
    with pytest.raises(BundleError, match="notes.*no saved model"):
        run("train", blob_folder, "--output", tmp_path / "notes")
    assert not (tmp_path / "notes.training").exists()


def test_evaluating_on_training_images_is_told(tiny, blob_folder, tmp_path):
    out = tmp_path / "trained"
    run(
        "train", blob_folder, "--backbone", "tiny", "--weights", "none", "--epochs", 1,
        "--finetune-epochs", 0, "--output", out, "--json",
    )  # fmt: skip
    result = run("evaluate", blob_folder, "--model", out, "--json")
    assert json.loads(result.stdout)["n_trained_on"] > 0
    assert "flatter" in result.stderr
    run("evaluate", blob_folder, "--model", out, "--json", "--strict", expect=3)


def test_audit_counts_copies_and_writes_a_split_without_leaks(blob_folder, tmp_path):
    from mri_tumor.data import load_dataset

    first = next(blob_folder.glob("no/*.png"))
    (blob_folder / "yes" / "copy.png").write_bytes(first.read_bytes())
    split, picture = tmp_path / "split.json", tmp_path / "pairs.png"
    options = ("--split", split, "--picture", picture, "--no-shortcuts", "--json")
    found = json.loads(run("audit", blob_folder, *options).stdout)
    assert found["n_images"] == 25
    assert found["exact_duplicate_groups"] == 1
    assert found["exact_duplicate_images"] == 2
    assert found["label_conflicts"] == 1
    assert found["leaks"] == 0
    assert not load_dataset(blob_folder, split=split).leaks
    assert np.asarray(Image.open(picture)).std() > 5
    run("audit", blob_folder, "--no-shortcuts", "--strict", expect=3)


def test_backbones_and_info_as_json(model):
    rows = json.loads(run("backbones", "--json").stdout)
    found = {row["name"]: row for row in rows}
    assert found["MobileNetV2"]["input_size"] == 224
    assert "imagenet" in found["MobileNetV2"]["weights"]
    assert found["EfficientNetB0"]["package"] == "mri-tumor"
    about = json.loads(run("info", "--model", model, "--json").stdout)
    assert about["model"]["classes"] == ["notumor", "tumor"]
    assert about["model"]["size_bytes"] > 1000
    assert "keras" in about["versions"]


def test_an_error_is_one_line_and_exit_code_one(tmp_path):
    result = call("predict", "x.png", "--model", tmp_path / "nowhere")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("mri-tumor: ")
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_usage_is_exit_code_two():
    result = call("predict")
    assert result.returncode == 2
    assert "Usage:" in result.stderr
    assert call("predcit").returncode == 2


def test_an_empty_folder_is_an_error(tmp_path, model):
    (tmp_path / "empty").mkdir()
    result = call("predict", tmp_path / "empty", "--model", model)
    assert result.returncode == 1
    assert "empty" in result.stderr


def test_standard_output_holds_json_alone_in_a_real_process(scans, tmp_path):
    result = call("predict", scans, "--json")
    assert result.returncode == 0, result.stderr
    assert [json.loads(line)["status"] for line in result.stdout.splitlines()][2] == "error"
    assert "I0000" not in result.stderr


@pytest.mark.slow
def test_the_demo_leaves_a_model_and_figures_that_are_right(tmp_path):
    result = call("demo", "--output", tmp_path / "demo", "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["synthetic"]
    assert found["test"]["accuracy"] >= 0.7
    for path in found["figures"]:
        assert np.asarray(Image.open(path)).std() > 5
    rows = call(
        "predict", tmp_path / "demo" / "synthetic-images", "--model", found["model"], "--json"
    )
    assert len(rows.stdout.splitlines()) == 320
