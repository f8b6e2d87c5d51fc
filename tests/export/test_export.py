"""Exports answer as their original does, or are not written."""

import dataclasses
import json
from importlib.util import find_spec

import numpy as np
import pytest
from click.testing import CliRunner
from drawing import blobs
from PIL import Image

from mri_tumor import export, runtime
from mri_tumor.answers.rule import DecisionRule
from mri_tumor.bundle import read_bundle
from mri_tumor.classifier import TumorClassifier
from mri_tumor.cli.export import FORMATS as CLI_FORMATS
from mri_tumor.cli.main import commands
from mri_tumor.errors import (
    BundleError,
    DataError,
    ExportError,
    MissingExtraError,
    ParameterError,
)
from mri_tumor.evaluation.conformal_rule import ConformalRule
from mri_tumor.export import exporting
from mri_tumor.export.agreement import measure_agreement
from mri_tumor.export.quantisation import channel_correction
from mri_tumor.runtime.parts import pack_arrays

RULE = DecisionRule(classes=("notumor", "tumor"), negative_class="notumor")


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    return fitted.save(tmp_path_factory.mktemp("export") / "model")


@pytest.fixture(scope="module")
def images():
    return blobs(40, seed=21)[0]


def needs(name):
    for package in export.FORMATS[name].packages:
        pytest.importorskip(package)


@pytest.mark.parametrize("name", ["litert", "onnx", "openvino"])
def test_a_float_export_answers_as_the_classifier(fitted, saved, images, tmp_path, name):
    needs(name)
    done = export.export_model(saved, tmp_path / "out", format=name, calibration=images)
    assert done.agreement.same_label == 1.0
    assert done.agreement.n_images == len(images)
    assert done.agreement.largest_change < (1e-4 if name == "onnx" else 5e-3)
    model = runtime.load(done.path)
    assert model.engine == name
    np.testing.assert_allclose(
        model.predict_proba(images), fitted.predict_proba(images), atol=5e-3
    )
    one = model.explain(images[-1:])[0]
    other = fitted.explain(images[-1:], method="grad_cam")[0]
    np.testing.assert_allclose(one.values, other.values, atol=0.02)


@pytest.mark.parametrize("name", ["litert-int8", "onnx-int8"])
def test_an_int8_export_is_checked_on_images_that_did_not_calibrate_it(
    fitted, saved, images, tmp_path, name
):
    needs(name)
    done = export.export_model(
        saved, tmp_path / "out", format=name, calibration=images, max_changed=0.1
    )
    assert done.agreement.n_images == len(images) - len(images) // 2
    assert done.agreement.images == "given images"
    model = runtime.load(done.path)
    assert model.engine == name
    same = np.mean(model.predict(images) == fitted.predict(images))
    assert same >= 0.9
    assert 0 < np.abs(model.predict_proba(images) - fitted.predict_proba(images)).max() < 0.3
    assert model.explain(images[:1])[0].values.shape == (80, 80)
    if name == "onnx-int8" and find_spec("openvino"):
        other = runtime.load(done.path, engine="openvino-int8")
        difference = other.predict_proba(images) - model.predict_proba(images)
        assert np.abs(difference).max() < 0.1


def test_a_saved_model_is_for_tensorflow_serving(saved, images, tmp_path):
    done = export.export_model(
        saved, tmp_path / "out", format="saved-model", calibration=images[:8]
    )
    assert done.agreement.largest_change < 1e-4
    assert (done.path / "saved_model" / "saved_model.pb").is_file()
    with pytest.raises(BundleError, match="no file"):
        runtime.load(done.path)


def test_metadata_says_what_answering_needs_and_how_far_it_agrees(saved, images, tmp_path):
    done = export.export_model(saved, tmp_path / "out", calibration=images)
    content = read_bundle(done.path).metadata
    original = read_bundle(saved).metadata
    for name in ("classes", "threshold", "temperature", "preprocessing", "notice"):
        assert content[name] == original[name]
    entry = content["runtimes"]["litert"]
    assert entry["agreement"] == done.agreement.to_dict()
    assert set(content["files"]) == {"model.tflite", "head.npz"}
    assert "history" not in content
    with pytest.raises(BundleError, match="runtime"):
        TumorClassifier.load(done.path)


def test_an_export_never_takes_the_place_of_a_model(fitted, images, tmp_path):
    model = fitted.save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    with pytest.raises(BundleError, match="holds a trained model"):
        export.export_model(model, model, calibration=images)
    again = CliRunner().invoke(
        commands, ["export", str(model), "--output", str(model), "--format", "litert"]
    )
    assert "holds a trained model" in str(again.exception)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_nothing_is_written_when_too_many_labels_change(saved, images, tmp_path, monkeypatch):
    def wrong(format, model, original, ranges):
        hidden = model.get_layer("hidden")
        hidden.set_weights([-weights for weights in hidden.get_weights()])
        return "int8", {"model.tflite": exporting.to_litert(model)}

    monkeypatch.setattr(exporting, "_network", wrong)
    with pytest.raises(ExportError, match=r"changes the label of .* more than the 0\.50% allowed"):
        export.export_model(saved, tmp_path / "out", calibration=images)
    assert not (tmp_path / "out").exists()


def test_without_images_phantoms_check_it(saved, tmp_path):
    done = export.export_model(saved, tmp_path / "out", max_changed=1.0)
    assert done.agreement.images == "phantoms"
    assert done.agreement.n_images == 96


def test_a_model_that_was_saved_before_gets_a_runtime(fitted, images, tmp_path):
    folder = fitted.save(tmp_path / "old", half_precision=True)
    before = TumorClassifier.load(folder).predict_proba(images)
    bundle = export.add_runtime(folder)
    assert set(bundle.metadata["files"]) == {"model.keras", "model.tflite", "head.npz"}
    assert bundle.metadata["runtimes"]["litert"]["agreement"]["images"] == "phantoms"
    np.testing.assert_allclose(runtime.load(folder).predict_proba(images), before, atol=5e-3)
    np.testing.assert_allclose(TumorClassifier.load(folder).predict_proba(images), before)


def test_a_missing_package_is_named_with_its_extra(saved, tmp_path, monkeypatch):
    from mri_tumor.export import formats

    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"onnx.*pip install 'mri-tumor\[export\]'"):
        export.export_model(saved, tmp_path / "out", format="onnx")


def test_wrong_arguments_are_named(saved, tmp_path):
    with pytest.raises(ParameterError, match="format: unknown 'coreml'"):
        export.export_model(saved, tmp_path / "out", format="coreml")
    with pytest.raises(ParameterError, match="max_changed"):
        export.export_model(saved, tmp_path / "out", max_changed=2.0)
    with pytest.raises(BundleError, match="no saved model"):
        export.export_model(tmp_path, tmp_path / "out")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    with pytest.raises(DataError, match="0 of 1 images could be read"):
        export.export_model(saved, tmp_path / "out", calibration=[bad])


def test_the_command_line_exports(saved, images, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for i, image in enumerate(images[:6]):
        Image.fromarray(image).save(folder / f"{i}.png")
    arguments = ["export", str(saved), "--output", str(tmp_path / "out"), "--json"]
    done = CliRunner().invoke(
        commands, [*arguments, "--calibration", str(folder)], catch_exceptions=False
    )
    found = json.loads(done.stdout)
    assert found["format"] == "litert"
    assert found["agreement"]["n_images"] == 6
    assert found["agreement"]["same_label"] == 1.0
    assert tuple(export.FORMATS) == CLI_FORMATS


def two_outputs(probabilities, scale=1.0):
    maps = np.arange(len(probabilities) * 4.0).reshape(-1, 1, 2, 2)

    def network(values):
        first = int(values[0, 0, 0, 0])
        part = slice(first, first + len(values))
        return np.array(probabilities)[part, None], scale * maps[part]

    return network


def test_agreement_by_hand():
    values = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1) * np.ones((1, 2, 2, 3), np.uint8)
    first = two_outputs([0.9, 0.6, 0.4, 0.1])
    found = measure_agreement(
        first, two_outputs([0.9, 0.6, 0.6, 0.2], scale=2.0), values, RULE, images="given images"
    )
    assert found.same_label == 0.75
    assert found.largest_change == pytest.approx(0.2)
    assert found.mean_change == pytest.approx((0.2 + 0.1) / 4)
    assert found.feature_correlation == pytest.approx(1.0)
    with pytest.raises(ExportError, match="NaN"):
        measure_agreement(first, two_outputs([np.nan] * 4), values, RULE, images="x")
    with pytest.raises(ExportError, match="shapes"):
        measure_agreement(first, lambda v: (np.ones((4, 3)), np.ones((4, 1, 2, 2))), values, RULE,
                          images="x")  # fmt: skip


class DarkIsRefused:
    """Refuses where the pooled feature map is below a limit."""

    def describe(self, image):
        return np.zeros(1, np.float32)

    def check_described(self, descriptions, features):
        return ["dark" if row[0] < 3 else "" for row in features]


def test_agreement_counts_refusals_and_doubts():
    values = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1) * np.ones((1, 2, 2, 3), np.uint8)
    doubtful = dataclasses.replace(
        RULE, conformal=ConformalRule(
            classes=RULE.classes, negative_class="notumor", method="lac", coverage=0.9,
            limits=(0.65, 0.65), by_class=False, n_calibration=20,
        )
    )  # fmt: skip
    # Means of the first channel of the maps: 1, 5, 9, 13, and half of that: 0.5, 2.5, 4.5, 6.5.
    first, second = [0.9, 0.9, 0.6, 0.1], [0.9, 0.9, 0.8, 0.1]
    found = measure_agreement(
        two_outputs(first), two_outputs(second, scale=0.5), values, doubtful, images="x",
        gate=DarkIsRefused(),
    )  # fmt: skip
    assert found.same_label == 1.0
    assert found.same_refusal == 0.75  # the second is refused by one of them
    assert found.same_status == 0.5  # and the third is in doubt for one of them
    assert "same status on 50.00% of 4 images" in str(found)


def test_the_correction_gives_mean_and_spread_back():
    rng = np.random.default_rng(0)
    wanted = rng.normal(size=(50, 4)) * [1, 2, 3, 0] + [0, 1, 2, 3]
    found = wanted * [0.8, 1.25, 1, 1] + [0.5, -1, 0, 2]
    scale, shift = channel_correction(wanted, found)
    np.testing.assert_allclose(scale * found + shift, wanted, atol=1e-9)
    assert scale[3] == 1
    wild = channel_correction(wanted, found * 100)[0]
    assert wild.min() == 0.5


def test_weights_are_kept_small_only_where_nothing_is_lost():
    import io

    arrays = {"exact": np.array([0.5, 1.0]), "not": np.array([0.1, 1e9])}
    with np.load(io.BytesIO(pack_arrays(arrays)), allow_pickle=False) as stored:
        assert stored["exact"].dtype == np.float16
        assert stored["not"].dtype == np.float32
        np.testing.assert_array_equal(stored["not"], np.float32([0.1, 1e9]))
