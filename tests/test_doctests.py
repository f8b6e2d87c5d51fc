"""Every example in a docstring runs, each in an empty folder of its own."""

import doctest
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples():
    for path in sorted((SOURCE / "mri_tumor").rglob("*.py")):
        if ">>>" in path.read_text(encoding="utf-8"):
            parts = path.relative_to(SOURCE).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("name", list(modules_with_examples()))
@pytest.mark.filterwarnings("ignore::mri_tumor.DataWarning")
def test_examples_run(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    tests = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert tests, f"{name}: no example was found"
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    printed: list[str] = []
    for number, test in enumerate(tests):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        runner.run(test, out=printed.append)
    assert runner.failures == 0, "".join(printed)


def test_no_example_is_skipped():
    found = [
        path.name
        for path in sorted(SOURCE.rglob("*.py"))
        if "doctest: +SKIP" in path.read_text(encoding="utf-8")
    ]
    # A benchmark trains several networks: minutes.
    assert found == ["running.py"]
