"""The README's Python, as a reader would run it, on synthetic slices."""

import re
from pathlib import Path

import pytest
from PIL import Image

from mri_tumor import TumorClassifier, make_phantoms

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.filterwarnings("ignore::mri_tumor.DataWarning")
def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    # The same, with weights that need no network and with less to do.
    quick = 'TumorClassifier(weights="brain-mri", epochs=2, n_variants=1, '
    code = code.replace("TumorClassifier(", quick, 1).replace("verbose=1", "verbose=0")
    code = re.sub(r"finetune_epochs=\d+", "finetune_epochs=1", code)
    make_phantoms(64, folder=tmp_path / "scans", size=96, seed=4)
    slices = make_phantoms(1, size=96, seed=5)
    Image.fromarray(slices.images[0]).save(tmp_path / "new-scan.png")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(README), "exec"), {})
    printed = capsys.readouterr().out
    assert "64 images" in printed
    assert "95%" in printed
    assert "new-scan.png" in printed.splitlines()[-1]
    with Image.open("heatmap.png") as picture:
        assert picture.size == (96, 96)
    assert set(TumorClassifier.load("my-model").classes_) == {
        "glioma",
        "meningioma",
        "notumor",
        "pituitary",
    }
