"""Backbones trained on one split, measured, drawn, stopped and gone on with."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from mri_tumor.backbones import BackboneSpec, register_backbone
from mri_tumor.backbones.registry import unregister_backbone
from mri_tumor.benchmark import (
    plot_accuracy_latency,
    run_benchmark,
    running,
    speed,
    tables,
)
from mri_tumor.benchmark.folder import BenchmarkFolder
from mri_tumor.benchmark.plan import plan_cells
from mri_tumor.benchmark.records import CellResult
from mri_tumor.benchmark.summary import summarise
from mri_tumor.cli.main import commands
from mri_tumor.data import load_dataset
from mri_tumor.errors import CheckpointError, DataError, ParameterError, WeightsError
from mri_tumor.evaluation import evaluate_predictions
from mri_tumor.files import only_one
from mri_tumor.phantoms import make_phantoms

RECIPE = {"epochs": 1, "augmentation": None, "threads": (1,)}
BUILT = []


def build(name, input_shape, weights):
    import keras

    BUILT.append(name)
    if name == "bad-net":
        raise WeightsError("the imagenet weights are not here")
    image = keras.Input(input_shape)
    channels = 6 if name == "small-net" else 12
    values = keras.layers.Conv2D(channels, 3, strides=4, activation="relu")(image)
    values = keras.layers.Conv2D(16, 3, strides=4, activation="relu")(values)
    return keras.Model(image, values, name=name)


def scaling():
    import keras

    return [keras.layers.Rescaling(1 / 255)]


@pytest.fixture(scope="module")
def nets():
    """Two small backbones that say they start from ImageNet, and one that cannot be built."""
    names = ["small-net", "large-net", "bad-net"]
    for name in names:
        spec = BackboneSpec(
            name=name,
            builder=lambda shape, weights, name=name: build(name, shape, weights),
            scaling=scaling,
            input_size=64,
            finetune_layers=1,
        )
        register_backbone(spec)
    yield names
    for name in names:
        unregister_backbone(name)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "scans"
    make_phantoms(60, size=72, seed=5, classes=("notumor", "tumor"), folder=folder)
    return folder


@pytest.fixture(scope="module")
def data(scans):
    return load_dataset(scans)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Time shortly: what is tested is not how quick this machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "SECONDS", 0.01)
        patch.setattr(speed, "N_ROUNDS", 1)
        yield


@pytest.fixture(scope="module")
def done(nets, data, tmp_path_factory):
    """A finished benchmark: the result, its folder, and what was said."""
    folder, said = tmp_path_factory.mktemp("benchmark") / "out", []
    names = ["small-net", "large-net", "bad-net", "no|such"]
    result = run_benchmark(data, names, output=folder, seeds=2, say=said.append, **RECIPE)
    return result, folder, said


# -- a whole benchmark ------------------------------------------------------------------------


def test_every_cell_is_measured_on_the_same_test_part(done, data):
    result, folder, _ = done
    row = result.rows[0]
    assert [cell.seed for cell in row.finished] == [0, 1]
    for cell in row.finished:
        assert cell.report.n_images == len(data.test)
        assert cell.report.grouped
        low, high = cell.report.intervals["macro"]["f1"]
        assert low <= cell.report.macro["f1"] <= high
        assert cell.probabilities.shape == (len(data.test), 2)
        assert (folder / "cells" / cell.key / "model" / "model.tflite").stat().st_size == (
            cell.runtime_bytes
        )
        # What a stopped training needs is gone.
        assert {path.name for path in (folder / "cells" / cell.key).iterdir()} == {
            "cell.json", "predictions.npz", "model",
        }  # fmt: skip
        assert cell.training_seconds > 0
    accuracies = [cell.report.accuracy for cell in row.finished]
    assert row.accuracy.mean == pytest.approx(np.mean(accuracies))
    low, high = row.interval
    assert low <= row.accuracy.mean <= high
    # 64 px: 16*16*6*27 + 4*4*16*54 of the backbone, 16*128 + 128 of the head.
    assert row.fact("multiply_adds") == 16 * 16 * 6 * 27 + 4 * 4 * 16 * 54 + 16 * 128 + 128
    assert row.fact("parameters") == 6 * 27 + 6 + 16 * 54 + 16 + 17 * 128 + 129


def test_others_are_compared_with_the_first_pair_by_pair(done, data):
    first, second = done[0].rows[:2]
    truth = np.array(data.test.labels)
    right = {}
    for row in (first, second):
        for cell in row.finished:
            called = np.where(cell.probabilities[:, 1] >= 0.5, "tumor", "notumor")
            right[row.backbone, cell.seed] = called == truth
    gaps = []
    for seed in (0, 1):
        one, two = right["small-net", seed], right["large-net", seed]
        test = second.comparisons[seed].right
        assert (test.only_first, test.only_second) == ((one & ~two).sum(), (two & ~one).sum())
        gaps.append(two.mean() - one.mean())
    assert second.difference == pytest.approx(np.mean(gaps))
    low, high = second.difference_interval
    assert low <= second.difference <= high
    assert first.comparisons == {}
    assert first.difference is None


def test_answering_is_timed_without_tensorflow(done):
    result, folder, _ = done
    kept = json.loads((folder / "speed.json").read_text())
    assert len(kept["backbones"]) == 2
    for entry in kept["backbones"].values():
        assert entry["rounds"][0]["frameworks"] == []
    speeds = result.rows[0].speed
    # An interpreter with NumPy, Pillow and LiteRT; TensorFlow alone would be beyond.
    assert 20e6 < speeds.peak_memory_bytes < 250e6
    assert 0 < speeds.latency_ms[1][0] < 100
    assert speeds.images_per_second[1][0] > 100


def test_failed_cells_are_told_and_the_rest_goes_on(done):
    result, _, said = done
    bad, unknown = result.rows[2:]
    assert result.n_failed == 4
    assert bad.problems == ["the imagenet weights are not here"]
    assert "no backbone named 'no|such'" in unknown.problems[0]
    assert unknown.accuracy is None
    frame = result.to_frame()
    assert list(frame["failed"]) == [0, 0, 2, 2]
    assert frame["problem"][2] == "the imagenet weights are not here"
    assert sum("failed: the imagenet" in text for text in said) == 2
    assert "bad-net: the imagenet weights are not here" in result.to_markdown()


def test_the_csv_reads_back_and_holds_no_formula(done):
    result, folder, _ = done
    for name, frame in (("benchmark.csv", result.to_frame()), ("cells.csv", result.cells_frame())):
        again = pd.read_csv(folder / name)
        pd.testing.assert_frame_equal(again, frame, check_dtype=False, rtol=1e-12)
    frame = pd.DataFrame({"problem": ["=HYPERLINK(1)", "fine"], "difference": [-0.5, 0.25]})
    again = pd.read_csv(io.BytesIO(tables.to_csv(frame)))
    assert list(again["problem"]) == ["'=HYPERLINK(1)", "fine"]
    assert list(again["difference"]) == [-0.5, 0.25]


def test_the_markdown_reads_back(done):
    result, folder, _ = done
    text = (folder / "benchmark.md").read_text(encoding="utf-8")
    assert text.startswith("Research software, not a medical device.")
    assert "no&#124;such" in text
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
    wanted = [
        tables.accuracy_table(result.rows),
        tables.cost_table(result.rows, result.threads),
        tables.seed_table(result.rows),
    ]
    assert len(blocks) == 3
    for block, table in zip(blocks, wanted, strict=True):
        read = [
            [cell.strip().replace("&#124;", "|") for cell in line.strip("|").split("|")]
            for line in block
        ]
        assert [read[0], *read[2:]] == table
    assert tables.escape("a\n| <b>") == "a &#124; &lt;b>"


def test_the_json_holds_what_the_tables_do(done):
    result, folder, _ = done
    plain = json.loads((folder / "benchmark.json").read_text())
    assert plain == json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert "not a medical device" in plain["notice"]
    second = plain["backbones"][1]
    assert set(second["minus_first"]) == {"0", "1"}
    accuracies = [cell["report"]["accuracy"] for cell in second["cells"]]
    assert second["accuracy"] == pytest.approx(np.mean(accuracies))
    assert second["accuracy_range"] == [min(accuracies), max(accuracies)]
    assert sum(plain["data"]["images"].values()) == 60


@pytest.fixture(scope="module")
def rows(data):
    """Rows of four backbones with as many errors and as much latency as given."""
    labels = data.test.labels
    cells, timed = [], {}
    for name, start, n_wrong, latency in (
        ("quick", "imagenet", 2, 4.0),
        ("good", "imagenet", 1, 6.0),
        ("scratch", "from scratch", 0, 2.0),
        ("beaten", "imagenet", 2, 5.0),
    ):
        truth = np.array([data.classes.index(label) for label in labels])
        truth[:n_wrong] = 1 - truth[:n_wrong]
        answers = np.eye(2)[truth] * 0.8 + 0.1
        report = evaluate_predictions(
            labels, answers, classes=data.classes, groups=data.test.groups, n_bootstrap=10
        )
        about = {"backbone": name, "started_from": start, "key": f"{name}-seed0", "seed": 0}
        cells.append(CellResult(report=report, probabilities=answers, **about))
        one = {"latency_ms": {"1": latency}, "images_per_second": {"1": 9.0}}
        slow = {**one, "latency_ms": {"1": latency + 1}}
        timed[name] = {
            "rounds": [{**each, "peak_memory_bytes": None} for each in (one, one, slow)]
        }
    return summarise(cells, {"backbones": timed}, data, threads=1, n_bootstrap=10)


def test_only_rows_from_imagenet_enter_the_front(rows):
    found = {row.backbone: row.on_front for row in rows}
    assert found == {"quick": True, "good": True, "scratch": False, "beaten": False}
    assert rows[0].speed.latency_ms == {1: (4.0, 4.0, 5.0)}
    assert [line[-1] for line in tables.accuracy_table(rows)] == ["front", "yes", "yes", "", ""]
    n_test = rows[0].cells[0].report.n_images
    assert rows[1].difference == pytest.approx(1 / n_test)
    assert rows[2].difference == pytest.approx(2 / n_test)


def test_the_picture_shows_rows_front_and_hollow_markers(done, rows):
    assert np.asarray(Image.open(done[1] / "accuracy-latency.png")).std() > 5
    axes = plot_accuracy_latency(rows, threads=1)
    assert "not a medical device" in axes.get_title()
    faces = {
        drawn.get_label().split(" ")[0]: drawn.lines[0].get_markerfacecolor()
        for drawn in axes.containers
    }
    assert set(faces) == {"quick", "good", "scratch", "beaten"}
    assert [name for name, face in faces.items() if face == "white"] == ["scratch"]
    (front,) = (line for line in axes.lines if "Pareto" in str(line.get_label()))
    assert list(front.get_xdata()) == [4.0, 6.0]
    # Without any timing there is still a picture that says so.
    assert "No backbone" in plot_accuracy_latency(rows, threads=2).texts[0].get_text()


# -- going on ---------------------------------------------------------------------------------


def test_what_is_finished_is_not_done_again(done, data, tmp_path, monkeypatch):
    folder = shutil.copytree(done[1], tmp_path / "out")
    BUILT.clear()
    monkeypatch.setattr(speed, "_probe", pytest.fail)
    said = []
    again = run_benchmark(
        data, ["large-net", "small-net"], output=folder, seeds=2, say=said.append, **RECIPE
    )
    assert BUILT == []
    assert [text.rpartition(": ")[2] for text in said] == ["finished before"] * 4
    # The order is that of the call: the first is another now.
    assert [row.backbone for row in again.rows] == ["large-net", "small-net"]
    assert again.rows[1].difference == pytest.approx(-done[0].rows[1].difference)


def test_other_settings_are_refused_in_words(done, data, nets):
    _, folder, _ = done
    with pytest.raises(CheckpointError, match="epochs was 1, and is 2"):
        run_benchmark(data, nets[:1], output=folder, **{**RECIPE, "epochs": 2})
    with pytest.raises(CheckpointError, match="the images, their labels, groups or parts"):
        run_benchmark(data.split(seed=3), nets[:1], output=folder, **RECIPE)
    with only_one(folder / "lock", what="x"), pytest.raises(CheckpointError, match="another run"):
        run_benchmark(data, nets[:1], output=folder, **RECIPE)


def test_a_folder_of_something_else_is_left_alone(tmp_path, data):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(CheckpointError, match=r"thesis\.tex"):
        run_benchmark(data, output=tmp_path, **RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_wrong_arguments_are_refused_before_any_work(tmp_path, data):
    with pytest.raises(ParameterError, match="epocs: is no parameter"):
        run_benchmark(data, output=tmp_path / "a", epocs=2)
    with pytest.raises(ParameterError, match="epochs: must be a whole number, 1 or more"):
        run_benchmark(data, output=tmp_path / "a", epochs=0)
    with pytest.raises(ParameterError, match="threads"):
        run_benchmark(data, output=tmp_path / "a", threads=(0,))
    with pytest.raises(ParameterError, match="n_bootstrap"):
        run_benchmark(data, output=tmp_path / "a", threads=2, n_bootstrap=1e3)
    with pytest.raises(DataError, match="no validation part"):
        run_benchmark(data.train, output=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_damage_is_told(done, tmp_path):
    result, folder, _ = done
    key = result.rows[0].cells[0].key
    with BenchmarkFolder(tmp_path / "copy", {}) as copy:
        place = copy.cell(key)
        place.joinpath("cell.json").write_bytes(
            (folder / "cells" / key / "cell.json").read_bytes()
        )
        with pytest.raises(CheckpointError, match="damaged"):
            copy.read(key)
        place.joinpath("predictions.npz").write_bytes(b"PK\x03\x04")
        with pytest.raises(CheckpointError, match="damaged"):
            copy.read(key)
        assert copy.read("another") is None


def trained(cell, data, recipe, folder, *, n_bootstrap):
    """Stand in for a training that takes a while."""
    BUILT.append(cell.seed)
    rows = np.random.default_rng(cell.seed).dirichlet([1, 1], len(data.test))
    report = evaluate_predictions(
        data.test.labels, rows, classes=data.classes, groups=data.test.groups, n_bootstrap=10
    )
    about = {"backbone": cell.name, "started_from": "imagenet", "seed": cell.seed}
    return CellResult(key=cell.key, report=report, probabilities=rows, **about)


KILLED = """
import os, signal, sys
import test_benchmark as here
from mri_tumor.benchmark import running
from mri_tumor.data import load_dataset

def train(*arguments, **options):
    if len(here.BUILT) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return here.trained(*arguments, **options)

running.run_cell = train
running.run_benchmark(load_dataset(sys.argv[1]), ["net"], output=sys.argv[2], **here.RECIPE)
"""


def test_a_killed_benchmark_goes_on(scans, data, tmp_path, monkeypatch):
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(scans), str(out)],
        env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    finished = {path: path.read_bytes() for path in out.glob("cells/*/cell.json")}
    assert len(finished) == 2
    BUILT.clear()
    monkeypatch.setattr(running, "run_cell", trained)
    result = run_benchmark(data, ["net"], output=out, **RECIPE)
    assert BUILT == [2]
    assert all(path.read_bytes() == content for path, content in finished.items())
    assert [cell.seed for cell in result.rows[0].finished] == [0, 1, 2]
    expected = np.random.default_rng(1).dirichlet([1, 1], len(data.test))
    np.testing.assert_array_equal(result.rows[0].cells[1].probabilities, expected)
    # A part of the time is no time.
    assert result.rows[0].training_seconds is None


def test_a_stopped_training_goes_on_from_its_last_epoch(nets, data, tmp_path, monkeypatch):
    from mri_tumor.benchmark import cells
    from mri_tumor.training.checkpoint import Checkpoint

    keep = Checkpoint.keep

    def stop(self, state):
        keep(self, state)
        raise KeyboardInterrupt

    (cell,) = plan_cells(["small-net"], 1, "imagenet")
    recipe = {"epochs": 3, "augmentation": None}
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "keep", stop)
        with pytest.raises(KeyboardInterrupt):
            cells.run_cell(cell, data, recipe, tmp_path, n_bootstrap=0)
    assert (tmp_path / "training" / "state.npz").exists()
    kept = []
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "keep", lambda self, state: kept.append(state.epoch))
        found = cells.run_cell(cell, data, recipe, tmp_path, n_bootstrap=0)
    assert kept == [1, 2]
    assert found.n_epochs == 3
    assert found.training_seconds is None
    assert {path.name for path in tmp_path.iterdir()} == {"model"}


def test_the_command_line_goes_on_with_it_and_reports_failures(done, scans, tmp_path):
    out = shutil.copytree(done[1], tmp_path / "out")
    BUILT.clear()
    arguments = [
        "benchmark", scans, "--output", out, "--backbone", "small-net", "--backbone", "nowhere",
        "--seeds", 2, "--weights", "nowhere=none", "--threads", 1, "--epochs", 1, "--head-only",
        "--augmentation", "none", "--json", "--strict",
    ]  # fmt: skip
    result = CliRunner().invoke(commands, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    assert result.return_value == 3
    assert BUILT == []
    plain = json.loads(result.stdout)
    assert [row["backbone"] for row in plain["backbones"]] == ["small-net", "nowhere"]
    assert plain["backbones"][0]["accuracy"] == done[0].rows[0].accuracy.mean
    assert plain["backbones"][0]["pareto_front"]
    assert plain["backbones"][1]["started_from"] == "from scratch"
    assert "nowhere" in plain["backbones"][1]["problem"]
    assert plain["settings"]["finetune_epochs"] == 0
    assert "[2 of 4] nowhere (from scratch), seed 0: failed" in result.stderr
    assert "nowhere" in (out / "benchmark.md").read_text()
