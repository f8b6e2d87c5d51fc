"""The commands of the README and the tutorials, run as they stand on drawn slices."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from mri_tumor import make_phantoms
from mri_tumor.cli.main import commands

ROOT = Path(__file__).parents[1]
# The same, with weights that need no network and with less to do.
QUICK = {
    "train": [
        "--weights",
        "brain-mri",
        "--epochs",
        "1",
        "--finetune-epochs",
        "0",
        "--variants",
        "1",
    ],
    # After one epoch many images lie at the threshold: rounding may change a label.
    "export": ["--max-changed", "1"],
}


def commands_of_the_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        # The blocks that install are run by .ci/run and by whoever follows the README.
        if "pip install" not in block:
            yield from block.strip().splitlines()


def commands_of_the_tutorials():
    for script in sorted((ROOT / "examples" / "tutorials").glob("plot_*.py")):
        text = script.read_text(encoding="utf-8")
        for block in re.findall(r"code-block:: sh\n#\n((?:#    .*\n)+)", text):
            yield from (line.removeprefix("#").strip() for line in block.splitlines())


@pytest.mark.filterwarnings("ignore::mri_tumor.DataWarning")
def test_commands_run_one_after_the_other(tmp_path, monkeypatch):
    lines = list(dict.fromkeys([*commands_of_the_readme(), *commands_of_the_tutorials()]))
    assert len(lines) >= 6
    assert all(line.startswith("mri-tumor ") for line in lines)
    lines.sort(key=lambda line: "train" not in line)  # what others need comes first
    monkeypatch.chdir(tmp_path)
    make_phantoms(40, folder="scans", classes=("notumor", "tumor"), size=64, seed=4)
    make_phantoms(2, folder="slices", size=64, seed=5)
    Image.fromarray(make_phantoms(1, size=64, seed=6).images[0]).save("new-scan.png")
    for line in lines:
        words = shlex.split(line)[1:]
        done = CliRunner().invoke(commands, [*words, *QUICK.get(words[0], [])])
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
    assert Path("my-model/report.html").is_file()
    assert any(Path("heatmaps").iterdir())
    assert Path("small/model.tflite").is_file()
