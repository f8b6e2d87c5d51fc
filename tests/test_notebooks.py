"""The notebooks run from their first cell to their last, on drawn slices."""

import json
import runpy
from pathlib import Path

import pytest

import mri_tumor

mpl = pytest.importorskip("matplotlib")
EXAMPLES = Path(__file__).parents[1] / "examples"
STUDY = EXAMPLES / "study"
pytestmark = [
    pytest.mark.filterwarnings("ignore::mri_tumor.DataWarning"),
    pytest.mark.usefixtures("quiet_plots"),
]


@pytest.fixture
def quiet_plots():
    import matplotlib.pyplot as plt

    with mpl.rc_context():
        plt.switch_backend("Agg")
        yield
    plt.close("all")


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_quickstart_runs_and_begins_by_installing(tmp_path, monkeypatch):
    install, *cells = code_cells(EXAMPLES / "quickstart.ipynb")
    assert install.startswith("%pip install --quiet mri-tumor\n")
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in cells:
        exec(compile(cell, "quickstart.ipynb", "exec"), names)
    assert names["report"].n_images >= 10
    assert Path("my-model.zip").is_file()
    assert mri_tumor.runtime.load("my-model").classes_.tolist() == ["notumor", "tumor"]


def test_the_study_runs_on_drawn_slices(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("STUDY_DATA", raising=False)
    monkeypatch.setenv("STUDY_OUTPUT", str(tmp_path))
    names = runpy.run_path(str(STUDY / "kaggle_study.py"))
    assert names["report"].n_images == len(names["images"])
    assert set(names["pointing"]["method"]) >= {"Grad-CAM", "LayerCAM", "centre"}
    assert (tmp_path / "study.html").is_file()
    assert "MB" in capsys.readouterr().out


def test_page_and_notebook_of_the_study_hold_its_code():
    script = (STUDY / "kaggle_study.py").read_text(encoding="utf-8")
    page = (EXAMPLES.parent / "docs/tutorials/kaggle-study.rst").read_text(encoding="utf-8")
    _, *cells = code_cells(STUDY / "kaggle_study.ipynb")
    assert len(cells) > 10
    for cell in cells:
        assert cell.strip() in script, "run: python examples/study/make_page.py"
        assert all(line.strip() in page for line in cell.splitlines())
    assert len(script) < sum(map(len, cells)) + 5000


def test_nothing_of_this_machine_is_in_a_notebook():
    for path in sorted(EXAMPLES.rglob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        assert not any(word in text for word in ("/home/", "/root/", "/work/", "/tmp/"))
