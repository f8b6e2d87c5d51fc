"""The runtime says what the classifier says, and loads no framework for it."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from drawing import blobs
from PIL import Image

from mri_tumor import runtime
from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import BundleError, ImageError, MissingExtraError, ParameterError
from mri_tumor.runtime.engines import default_threads, engine_spec, open_engine

# Weights rounded to half precision, through a net that has learnt to be sure.
CLOSE = 5e-3


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    return fitted.save(tmp_path_factory.mktemp("runtime") / "model", runtime=True)


@pytest.fixture(scope="module")
def quick(saved):
    return runtime.load(saved)


@pytest.fixture(scope="module")
def unseen():
    return blobs(10, seed=9)[0]


def test_probabilities_and_labels_are_the_classifiers(fitted, quick, unseen):
    expected = fitted.predict_proba(unseen)
    assert 0.2 < np.ptp(expected[:, 0]) <= 1
    np.testing.assert_allclose(quick.predict_proba(unseen), expected, atol=CLOSE)
    np.testing.assert_array_equal(quick.predict(unseen), fitted.predict(unseen))
    for threshold in (0.01, 0.99):
        np.testing.assert_array_equal(
            quick.predict(unseen, threshold=threshold), fitted.predict(unseen, threshold=threshold)
        )


def test_assessments_are_the_classifiers_unreadable_files_included(
    fitted, quick, unseen, tmp_path
):
    files = []
    for i, image in enumerate(unseen[:3]):
        files.append(tmp_path / f"{i}.png")
        Image.fromarray(image).save(files[-1])
    files.insert(1, tmp_path / "missing.png")
    found, expected = quick.assess(files), fitted.assess(files)
    for one, other in zip(found, expected, strict=True):
        assert (one.file, one.label, one.status, one.message) == (
            other.file, other.label, other.status, other.message,
        )  # fmt: skip
        if one.label is not None:
            assert one.tumor_probability == pytest.approx(other.tumor_probability, abs=CLOSE)
    assert [row.status for row in found].count("error") == 1
    with pytest.raises(ImageError, match="missing"):
        quick.predict(files)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("likeliest_tumor", {}), ("notumor", {}), (None, {}), (1, {"flip": True}),
        ("tumor", {"shift": 4, "blur": 1.5}), ("tumor", {"method": "head_cam"}),
        ("notumor", {"method": "head_cam", "flip": True}),
    ],
)  # fmt: skip
def test_heatmaps_are_the_classifiers(fitted, quick, unseen, target, options):
    wide = np.pad(unseen[:4], ((0, 0), (0, 0), (30, 0)))
    found = quick.explain(wide, target=target, **options)
    method = options.get("method", "grad_cam")
    expected = fitted.explain(wide, target=target, **{**options, "method": method})
    for one, other in zip(found, expected, strict=True):
        assert one.target == other.target
        assert one.method == method
        np.testing.assert_allclose(one.values, other.values, atol=0.02)


@pytest.mark.parametrize("target", ["likeliest_tumor", "tumor", "notumor"])
def test_occlusion_is_the_classifiers(fitted, quick, unseen, target):
    options = {"target": target, "method": "occlusion", "patch": 16, "step": 12}
    found = quick.explain(unseen[:2], **options)
    for one, other in zip(found, fitted.explain(unseen[:2], **options), strict=True):
        assert (one.target, one.method) == (other.target, "occlusion")
        np.testing.assert_allclose(one.values, other.values, atol=0.05)


def test_the_saved_model_names_its_heatmaps_without_a_framework(fitted, quick, unseen, tmp_path):
    assert fitted.explanation_ == quick.explanation_ == "grad_cam"
    fitted.explanation_ = "head_cam"
    try:
        bundle = fitted.save(tmp_path / "model", runtime=True)
        whole, small = TumorClassifier.load(bundle), runtime.load(bundle)
        assert small.explain(unseen[:1])[0].method == "head_cam"
        assert whole.explanation_ == "head_cam"
        assert whole.explain(unseen[:1])[0].method == "layer_cam"  # finer, where it can be had
    finally:
        fitted.explanation_ = "grad_cam"


def test_a_target_for_each_image(fitted, quick, unseen):
    targets = ["tumor", "notumor", "tumor"]
    assert [one.target for one in quick.explain(unseen[:3], target=targets)] == targets
    with pytest.raises(ParameterError, match="2 targets for 3"):
        quick.explain(unseen[:3], target=targets[:2])


def test_other_methods_name_who_has_them(quick, unseen):
    with pytest.raises(ParameterError, match="TumorClassifier"):
        quick.explain(unseen[:1], method="saliency")
    with pytest.raises(ParameterError, match=r"patch.*grad_cam with flip, shift, blur;"):
        quick.explain(unseen[:1], patch=8)
    with pytest.raises(ParameterError, match="strides.*TumorClassifier"):
        quick.explain(unseen[:1], strides=(8,))
    with pytest.raises(ParameterError, match="unknown 'magic'"):
        quick.explain(unseen[:1], method="magic")


@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (3, 2), (64, 1)])
def test_batches_and_threads_change_nothing(saved, quick, unseen, batch_size, threads):
    other = runtime.load(saved, batch_size=batch_size, threads=threads)
    np.testing.assert_allclose(other.predict_proba(unseen), quick.predict_proba(unseen), atol=1e-5)


def test_many_images_go_side_by_side_and_come_back_in_order(saved):
    images = blobs(11, seed=3)[0][:21]
    model = runtime.load(saved, threads=3)
    one_by_one = np.concatenate([model.predict_proba(images[i : i + 1]) for i in range(21)])
    assert len(np.unique(one_by_one[:, 0])) == 21
    np.testing.assert_allclose(model.predict_proba(images), one_by_one, rtol=0, atol=1e-6)


def test_neither_framework_nor_science_is_loaded(saved, tmp_path):
    """In a process of its own: prediction and heatmap of a file."""
    file = tmp_path / "scan.png"
    Image.fromarray(blobs(2, seed=3)[0][0]).save(file)
    code = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from mri_tumor import runtime
model = runtime.load({str(saved)!r})
row = model.assess([{str(file)!r}])[0]
assert row.status in ("ok", "uncertain"), row
assert model.explain([{str(file)!r}])[0].values.shape == (80, 80)
heavy = {{"tensorflow", "keras", "scipy", "sklearn", "pandas", "matplotlib", "h5py", "imagehash"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert done.stderr == ""


def test_the_command_line_answers_without_tensorflow(saved, tmp_path):
    file = tmp_path / "scan.png"
    Image.fromarray(blobs(2, seed=3)[0][0]).save(file)
    heavy = '{"tensorflow", "keras", "scipy", "sklearn", "pandas"}'
    for command in (["predict"], ["explain", "--no-pictures", "--method", "grad_cam"]):
        arguments = ["mri-tumor", *command, str(file), "--model", str(saved), "--json"]
        code = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
sys.argv = {arguments!r}
from mri_tumor.cli import main
try:
    main()
finally:
    print(sorted({heavy} & set(sys.modules)))
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        row, loaded = done.stdout.splitlines()
        assert json.loads(row)["label"] in {"tumor", "notumor"}
        assert loaded == "[]"


def test_a_model_without_a_runtime_file_says_how_to_get_one(fitted, tmp_path):
    plain = fitted.save(tmp_path / "plain")
    with pytest.raises(BundleError, match="mri-tumor export .*--format litert "):
        runtime.load(plain)


def test_engines_that_cannot_read_the_file_say_what_to_export(saved):
    with pytest.raises(BundleError, match="'onnx-int8'.*it has: litert.*--format onnx-int8"):
        runtime.load(saved, engine="onnx-int8")
    with pytest.raises(ParameterError, match="unknown 'tensorrt'.*litert"):
        runtime.load(saved, engine="tensorrt")
    with pytest.raises(ParameterError, match="threads"):
        runtime.load(saved, threads=0)
    for wrong in (-1, "a", 2.5, True):
        with pytest.raises(ParameterError, match=r"batch_size: must be a whole number.*Received"):
            runtime.load(saved, batch_size=wrong)


def test_a_package_that_is_missing_is_named_with_its_extra(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mri-tumor\[openvino\]'"):
        runtime.load(saved, engine="openvino")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match="pip install 'ai-edge-litert'"):
        runtime.load(saved)


def test_openvino_reads_the_same_file(saved, quick, unseen):
    pytest.importorskip("openvino")
    other = runtime.load(saved, engine="openvino")
    np.testing.assert_allclose(other.predict_proba(unseen), quick.predict_proba(unseen), atol=1e-3)


def test_a_damaged_file_is_one_error(saved, tmp_path):
    import shutil

    copy = shutil.copytree(saved, tmp_path / "copy")
    (copy / "model.tflite").write_bytes((saved / "model.tflite").read_bytes()[:-100])
    with pytest.raises(BundleError, match=r"model\.tflite.*SHA-256"):
        runtime.load(copy)
    (copy / "model.tflite").unlink()
    with pytest.raises(BundleError, match=r"model\.tflite.*missing"):
        runtime.load(copy)


@pytest.mark.parametrize("content", [b"", b"not a network" * 100])
def test_what_is_no_network_is_one_error(tmp_path, content):
    file = tmp_path / "model.tflite"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.tflite.*Export it again"):
        open_engine("litert", file, size=64)


def test_metadata_of_the_wrong_kind_is_one_error(saved, tmp_path):
    import shutil

    copy = shutil.copytree(saved, tmp_path / "copy")
    content = json.loads((copy / "metadata.json").read_text())
    for wrong in ({"runtimes": ["litert"]}, {"preprocessing": 3}, {"threshold": "high"}):
        (copy / "metadata.json").write_text(json.dumps({**content, **wrong}))
        with pytest.raises(BundleError, match="copy"):
            runtime.load(copy)


def test_a_file_that_the_metadata_does_not_vouch_for_is_not_opened(saved, tmp_path):
    import shutil

    copy = shutil.copytree(saved, tmp_path / "copy")
    content = json.loads((copy / "metadata.json").read_text())
    content["runtimes"]["litert"]["file"] = "../other.tflite"
    (copy / "metadata.json").write_text(json.dumps(content))
    with pytest.raises(BundleError, match="no file"):
        runtime.load(copy)


def test_the_classifier_still_loads_what_has_a_runtime(saved, fitted, unseen):
    again = TumorClassifier.load(saved)
    np.testing.assert_allclose(
        again.predict_proba(unseen), fitted.predict_proba(unseen), atol=1e-6
    )


def test_threads_are_few_and_at_least_one():
    assert 1 <= default_threads() <= 4
    assert engine_spec("litert").batch_size == 1


def test_the_gate_refuses_here_too(quick, saved, unseen):
    class Suspicious:
        def describe(self, image):
            return image.mean(keepdims=True)

        def check_described(self, descriptions, features):
            assert features.shape == (len(descriptions), 16)
            return ["too bright" if row.item() > 200 else "" for row in descriptions]

    wary = runtime.load(saved)
    wary.gate_ = Suspicious()
    rows = wary.assess([unseen[0], np.full((80, 80), 250, np.uint8)])
    assert wary.assess([np.full((80, 80), 250, np.uint8)])[0].status == "refused"
    assert [row.status for row in rows] == [quick.assess([unseen[0]])[0].status, "refused"]
    assert rows[1].message == "too bright"


def test_threads_that_share_a_model_get_their_own_answers(quick, unseen):
    expected = quick.predict_proba(unseen)
    assert len({round(float(row[0]), 4) for row in expected}) > 5
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda at: quick.predict_proba(unseen[at : at + 1]), [*range(20)] * 5)
        )
    np.testing.assert_allclose(np.concatenate(found), np.tile(expected, (5, 1)), atol=1e-6)
