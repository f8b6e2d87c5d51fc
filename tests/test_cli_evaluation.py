"""Calibrating, reporting, comparing and measuring leaks from the command line."""

import json
import re

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mri_tumor.classifier import TumorClassifier
from mri_tumor.cli.main import commands
from mri_tumor.data import load_dataset
from mri_tumor.data.dividing import halve
from mri_tumor.errors import DataError
from mri_tumor.evaluation import EvaluationReport
from mri_tumor.labelled import describe_data
from mri_tumor.phantoms import make_phantoms


def run(*arguments, expect=0):
    """Run in this process, as the console script does but for the error handling."""
    result = CliRunner().invoke(commands, [str(a) for a in arguments], standalone_mode=False)
    if result.exception:
        raise result.exception
    assert (result.return_value or 0) == expect
    return result


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Return a folder of 300 synthetic slices, enough to calibrate on."""
    folder = tmp_path_factory.mktemp("slices") / "scans"
    make_phantoms(300, size=72, seed=2, classes=("notumor", "tumor"), folder=folder)
    return folder


@pytest.fixture(scope="module")
def trained(tiny, scans, tmp_path_factory):
    """Train by the command line; return its folder and what it printed."""
    out = tmp_path_factory.mktemp("trained") / "model"
    result = run(
        "train", scans, "--backbone", "tiny", "--weights", "none", "--epochs", 2,
        "--finetune-epochs", 0, "--specificity", 0.8, "--coverage", 0.9, "--output", out, "--json",
    )  # fmt: skip
    return out, json.loads(result.stdout)


def test_half_of_the_validation_part_calibrates(scans):
    dataset = load_dataset(scans).split((0.2, 0.6, 0.2))
    choosing, calibration = halve(dataset.validation, seed=1)
    assert not set(choosing.groups) & set(calibration.groups)
    assert len(choosing) + len(calibration) == len(dataset.validation)
    assert len(choosing) == pytest.approx(len(calibration), abs=2)
    assert set(choosing.splits) == set(calibration.splits) == {"validation"}
    again = halve(dataset.validation, seed=1)[1]
    assert again.paths == calibration.paths
    with pytest.raises(DataError, match="calibrating needs 20"):
        halve(dataset.validation.subset(range(30)))


def test_training_tells_and_keeps_its_calibration(trained, scans):
    out, found = trained
    rule = found["rule"]
    assert rule["operating_point"]["target"] == "specificity"
    assert rule["operating_point"]["target_value"] == 0.8
    assert rule["conformal"]["coverage"] == 0.9
    told = found["calibration"]
    assert told["temperature"] == rule["temperature"]
    for when in ("before", "after"):
        assert 0 <= told[when]["expected_calibration_error"] <= 1
        assert 0 <= told[when]["brier_score"] <= 2
    assert told["after"]["brier_score"] == found["test"]["calibration"]["tumor"]["brier_score"]
    model = TumorClassifier.load(out)
    assert model.rule_.to_dict() == rule
    assert json.loads((out / "metadata.json").read_text())["calibration"] == told
    table = (out / "split.csv").read_text().splitlines()
    uses = [row.rpartition(",")[2] for row in table[1:]]
    held = rule["operating_point"]["n_positive"] + rule["operating_point"]["n_negative"]
    assert uses.count("calibration") == held
    assert {*uses} == {"train", "validation", "calibration", "test"}
    # Whatever decided anything counts as seen; the test part does not.
    dataset = load_dataset(scans, split=None)
    assert model.overlap(dataset).n_identical == len(uses) - uses.count("test")


def test_the_bundle_holds_a_report_that_stands_alone(trained):
    out, found = trained
    html = (out / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:image/png;base64,|#)', html)
    for words in (
        "Data and split",
        "Calibration",
        "CLAIM checklist",
        '<th scope="row">before</th>',
    ):
        assert words in html
    assert str(out.parent) not in html
    twin = json.loads((out / "report.json").read_text())
    assert twin["calibration"]["operating_point"] == found["rule"]["operating_point"]
    assert twin["dataset"]["counts"] == found["dataset"]["counts"]
    assert "not a medical device" in twin["notice"]
    assert EvaluationReport.load(out / "evaluation.json").accuracy == found["test"]["accuracy"]
    for name in ("history", "confusion", "curves", "reliability"):
        assert np.asarray(Image.open(out / "figures" / f"{name}.png")).std() > 5


def test_too_few_images_are_told_and_not_calibrated(tiny, blob_folder, tmp_path):
    result = run(
        "train", blob_folder, "--backbone", "tiny", "--weights", "none", "--epochs", 1,
        "--finetune-epochs", 0, "--output", tmp_path / "model", "--json",
    )  # fmt: skip
    assert "not calibrated" in result.stderr
    rule = json.loads(result.stdout)["rule"]
    assert (rule["temperature"], rule["threshold"], rule["conformal"]) == (1.0, 0.5, None)


def test_one_threshold_keeps_one_figure(blob_folder):
    with pytest.raises(click.UsageError, match="one"):
        run("train", blob_folder, "--sensitivity", 0.9, "--specificity", 0.9)
    with pytest.raises(click.UsageError, match="not both"):
        run("train", blob_folder, "--new-split", "--split", __file__)
    with pytest.raises(click.UsageError, match="html"):
        run("evaluate", blob_folder, "--report", "report.pdf")
    with pytest.raises(click.UsageError, match=r"must end in \.png"):
        run("audit", blob_folder, "--picture", "pairs.jpg")
    with pytest.raises(click.UsageError, match="name the same file"):
        run("evaluate", blob_folder, "--output", "a.json", "--report", "a.html")
    with pytest.raises(click.UsageError, match="two models"):
        run("compare", blob_folder, "--model", "brain-mri")


def test_a_split_of_an_audit_is_trained_on(tiny, scans, tmp_path):
    split, out = tmp_path / "split.json", tmp_path / "model"
    run("audit", scans, "--no-shortcuts", "--seed", 7, "--split", split, "--json")
    run(
        "train", scans, "--backbone", "tiny", "--weights", "none", "--epochs", 1,
        "--finetune-epochs", 0, "--split", split, "--output", out, "--json",
    )  # fmt: skip
    expected = load_dataset(scans, split=split)
    rows = [row.split(",") for row in (out / "split.csv").read_text().splitlines()[1:]]
    assert [row[4] for row in rows] == list(expected.splits)


def test_a_class_without_training_images_is_told_before_the_training(blob_folder, tmp_path):
    for i, kind in enumerate(("glioma", "notumor", "pituitary")):
        part = tmp_path / "scans" / ("Testing" if kind == "pituitary" else "Training") / kind
        make_phantoms(24, size=72, seed=i, classes=("notumor", "tumor"), folder=tmp_path / kind)
        part.parent.mkdir(parents=True, exist_ok=True)
        found = tmp_path / kind / ("notumor" if kind == "notumor" else "tumor")
        next(one for one in (found, *tmp_path.rglob(found.name)) if one.is_dir()).rename(part)
    with pytest.raises(DataError, match="'pituitary' is in the test part and has no image"):
        run("train", tmp_path / "scans", "--weights", "none", "--output", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_file_that_cannot_be_read_fails_a_strict_evaluation_of_a_part(trained, tmp_path):
    make_phantoms(
        12, size=72, seed=8, classes=("notumor", "tumor"), folder=tmp_path / "scans" / "Training"
    )
    scans = tmp_path / "scans" / "Testing"
    make_phantoms(12, size=72, seed=9, classes=("notumor", "tumor"), folder=scans)
    next(scans.rglob("*.png")).write_bytes(b"no picture")
    command = ("evaluate", tmp_path / "scans", "--model", trained[0], "--part", "test", "--json")
    found = json.loads(run(*command, "--strict", expect=3).stdout)
    assert len(found["left_out"]) == 1


def test_an_audit_without_copies_is_told_and_draws_nothing(tmp_path):
    make_phantoms(8, size=72, seed=4, classes=("notumor", "tumor"), folder=tmp_path / "scans")
    picture = tmp_path / "pairs.png"
    result = run("audit", tmp_path / "scans", "--no-shortcuts", "--picture", picture, "--json")
    assert json.loads(result.stdout)["pairs"] == []
    assert "no copies to draw" in result.stderr
    assert not picture.exists()


def test_evaluate_tells_points_and_writes_what_it_is_asked_for(trained, tmp_path):
    out, _ = trained
    page, picture = tmp_path / "new" / "page.html", tmp_path / "picture.png"
    options = (
        out / "split.csv", "--part", "test", "--model", out, "--report", page, "--picture",
        picture, "--specificity-at", 0.9, "--sensitivity-at", 0.8, "--sensitivity-at", 0.9,
        "--prevalence", 0.05,
    )  # fmt: skip
    found = json.loads(run("evaluate", *options, "--json").stdout)
    assert [row["specificity"] for row in found["sensitivity_at_specificity"]] == [0.8, 0.9]
    assert found["sensitivity_at_specificity"][0]["coverage"] == 1.0
    assert len(found["specificity_at_sensitivity"]) == 1
    assert found["predictive_values"][0]["prevalence"] == 0.05
    assert found["rule"]["temperature"] > 0
    assert found["n_trained_on"] == 0
    assert "CLAIM" in page.read_text()
    assert page.with_suffix(".json").is_file()
    assert np.asarray(Image.open(picture)).std() > 5
    text = run("evaluate", *options).stdout
    assert "Sensitivity at specificity 0.9: " in text
    assert "Where 0.05 of the images show a tumor: PPV" in text
    assert "expected calibration error of P(tumor)" in text
    assert "coverage" in text


def test_the_threshold_of_the_call_goes_first(trained):
    out, _ = trained
    options = (out / "split.csv", "--part", "test", "--model", out, "--json")
    everything = json.loads(run("evaluate", *options, "--threshold", 0).stdout)
    assert everything["tumor"]["sensitivity"] == 1.0
    assert everything["threshold"] == everything["rule"]["threshold"] == 0.0


def test_near_copies_of_training_images_are_told(trained, scans, tmp_path):
    out, _ = trained
    for name in ("notumor", "tumor"):
        (tmp_path / name).mkdir()
        for path in sorted((scans / name).glob("*.png"))[:3]:
            with Image.open(path) as image:
                image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / name / path.name)
    result = run("evaluate", tmp_path, "--model", out, "--json")
    found = json.loads(result.stdout)
    assert 0 < found["n_trained_on"] <= 6
    assert found["n_trained_on_identical"] == 0
    assert "near-copies" in result.stderr
    run("evaluate", tmp_path, "--model", out, "--json", "--strict", expect=3)


def test_two_models_are_compared(trained, tmp_path):
    out, _ = trained
    options = (out / "split.csv", "--part", "test", "--model", out, "--model", out)
    found = json.loads(run("compare", *options, "--json").stdout)
    assert found["figures"]["accuracy"]["difference"] == 0
    assert found["right"]["p_exact"] == 1
    assert found["n_trained_on"] == [0, 0]
    text = run("compare", *options).stdout
    assert "McNemar" in text
    assert "not a medical device" in text


def test_the_leak_of_a_random_split_is_measured(tiny, scans):
    result = run(
        "leak", scans, "--backbone", "tiny", "--weights", "none", "--epochs", 1, "--head-only",
        "--json",
    )  # fmt: skip
    found = json.loads(result.stdout)
    assert found["recipe"]["finetune_epochs"] == 0
    assert found["n_test"] == found["leaky"]["n_images"] == found["clean"]["n_images"]
    assert set(found["leaky_minus_clean"]["figures"]["accuracy"]) == {
        "first", "second", "difference", "interval",
    }  # fmt: skip


def test_weights_that_saw_the_test_images_stop_a_strict_training(
    tiny, scans, tmp_path, monkeypatch
):
    dataset = load_dataset(scans)
    seen = describe_data(dataset.test)
    monkeypatch.setattr("mri_tumor.labelled.images_behind", lambda weights: seen)
    out = tmp_path / "model"
    options = ("--backbone", "tiny", "--weights", "none", "--output", out, "--strict")
    result = run("train", scans, *options, expect=3)
    assert f"{len(dataset.test)} of these {len(dataset.test)} images were used" in result.stderr
    assert not out.exists()


def test_a_report_tells_beside_its_figures_what_the_model_has_seen(trained, tmp_path):
    page = tmp_path / "page.html"
    run("evaluate", trained[0] / "split.csv", "--model", trained[0], "--report", page)
    html = page.read_text("utf-8")
    result = html[html.index("<h2>Result") : html.index("<h2>Data")]
    assert "were used to make the model" in result
    assert "no group crosses the split" not in html
