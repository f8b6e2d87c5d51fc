"""A file of answers that is cut short anywhere, and goes on without a lost or doubled row."""

import csv
import json
import os
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mri_tumor.answers.table import AnswerTable, check_output
from mri_tumor.answers.table_formats import flat, safe_cell
from mri_tumor.errors import CheckpointError, ParameterError

CLASSES = ("notumor", "tumor")
SETTINGS = {"model_sha256": "a", "threshold": None}
# Names as archives have them: line ends, quotes, formulas, bytes that are no UTF-8.
NAMES = [
    "plain.png", 'with "quotes", and\nlines.png', "=1+1.png", "+a", "-b", "@c", "\td",
    os.fsdecode(b"\xff\xfe.png"), "vol.nii", "ünïcode 😀.png", "plain.png", "'=x", "=x",
]  # fmt: skip


def unit(name):
    if name == "vol.nii":
        slices = [{**row(name, at / 8), "kind": "slice", "slice": at} for at in range(3)]
        return [*slices, {**row(name, 0.25), "kind": "volume"}]
    return [row(name, 1 / 3)] if name != "+a" else [row(name, None)]


def row(name, tumor):
    answered = tumor is not None
    return {
        "file": name,
        "label": "notumor" if answered else None,
        "tumor_probability": tumor,
        "probabilities": {"notumor": 1 - tumor, "tumor": tumor} if answered else None,
        "status": "ok" if answered else "error",
        "message": "" if answered else "=cmd|' /C calc'!A0",
    }


def run(path, names=NAMES, **options):
    """Write what is not there yet; return the names that were written."""
    written = []
    with AnswerTable(path, {**SETTINGS, **options}, CLASSES, resume=True) as table:
        for name in names:
            if not table.take_back(name):
                table.write(unit(name))
                written.append(name)
        table.finish()
    return written


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_cut_at_any_byte_it_ends_as_if_it_had_not_been(tmp_path, suffix):
    path = tmp_path / f"answers{suffix}"
    assert run(path) == NAMES
    whole = path.read_bytes()
    for end in range(0, len(whole), 11):
        path.write_bytes(whole[:end])
        run(path)
        assert path.read_bytes() == whole, end


@settings(max_examples=40, deadline=None)
@given(names=st.lists(st.text(max_size=8), max_size=8), cut=st.integers(0, 10_000))
@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_any_names_survive_a_cut(tmp_path_factory, suffix, names, cut):
    path = tmp_path_factory.mktemp("any") / f"answers{suffix}"
    run(path, names)
    whole = path.read_bytes()
    path.write_bytes(whole[: cut % (len(whole) + 1)])
    run(path, names)
    assert path.read_bytes() == whole


def test_the_rows_are_what_was_written(tmp_path):
    run(tmp_path / "a.jsonl")
    run(tmp_path / "a.csv")
    expected = [one for name in NAMES for one in unit(name)]
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert rows == expected
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == len(expected)
    assert [cell["slice"] for cell in cells if cell["kind"] == "slice"] == ["0", "1", "2"]
    assert cells[0]["p_tumor"] == repr(1 / 3)
    assert cells[1]["file"] == NAMES[1]


def test_no_cell_is_a_formula(tmp_path):
    run(tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for record in csv.reader(file) for cell in record if cell]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r\n"]
    assert "'=1+1.png" in cells
    assert "'=cmd|' /C calc'!A0" in cells


@given(st.text())
def test_a_safe_cell_only_ever_gains_an_apostrophe(text):
    assert safe_cell(text) in {text, "'" + text}


def test_new_files_are_added_and_old_rows_stay(tmp_path):
    path = tmp_path / "a.jsonl"
    run(path, ["b", "d"])
    assert run(path, ["a", "b", "c", "d"]) == ["a", "c"]
    assert [json.loads(line)["file"] for line in path.read_text().splitlines()] == list("bdac")


def test_counts_go_on(tmp_path):
    path = tmp_path / "a.csv"
    run(path, NAMES[:5])
    with AnswerTable(path, SETTINGS, CLASSES, resume=True) as table:
        assert table.resumed == 5
        assert table.counts == Counter(ok=4, error=1)
        table.write(unit("vol.nii"))
        report = table.finish()
    assert report["counts"] == {"ok": 5, "error": 1}
    assert json.loads((tmp_path / "a.csv.run.json").read_text())["counts"] == report["counts"]


def test_another_model_or_threshold_is_refused_in_words(tmp_path):
    path = tmp_path / "a.jsonl"
    run(path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"threshold None.*0\.3"):
        run(path, threshold=0.3)
    with pytest.raises(CheckpointError, match="model_sha256"):
        run(path, model_sha256="b")
    assert path.read_bytes() == before


def test_what_is_there_is_not_overwritten(tmp_path):
    path = tmp_path / "a.jsonl"
    run(path)
    with pytest.raises(CheckpointError, match="--resume"), AnswerTable(path, SETTINGS, CLASSES):
        pass
    (tmp_path / "a.jsonl.run.json").unlink()
    with pytest.raises(CheckpointError, match=r"run\.json: is missing"):
        run(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_foreign_file_is_left_alone(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    run(path, [])
    path.write_text("name,age\nJane,4\n")
    with pytest.raises(CheckpointError, match="row"):
        run(path)
    assert path.read_text() == "name,age\nJane,4\n"


def test_one_process_writes_at_a_time(tmp_path):
    path = tmp_path / "a.jsonl"
    with AnswerTable(path, SETTINGS, CLASSES), pytest.raises(CheckpointError, match="another run"):
        run(path)
    assert run(path) == NAMES
    assert not list(tmp_path.glob(".*"))


def test_parquet_holds_the_same_and_is_whole_or_not_there(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    with AnswerTable(path, SETTINGS, CLASSES) as table:
        table.write(unit("plain.png"))
    assert not path.exists()
    run(path)
    assert not list(tmp_path.glob("*.part.jsonl"))
    rows = parquet.read_table(path).to_pylist()
    # Of two equal names one was there.
    assert Counter(one["kind"] for one in rows) == {"image": 12, "slice": 3, "volume": 1}
    assert rows[0]["p_tumor"] == 1 / 3
    # Killed at the last moment it is begun again, and finds all that is there.
    run(path)
    assert parquet.read_table(path).to_pylist() == rows
    # A file that came later is added.
    with AnswerTable(path, SETTINGS, CLASSES, resume=True) as table:
        assert all(table.take_back(name) for name in NAMES)
        assert not table.take_back("later.png")
        table.write(unit("later.png"))
        table.finish()
    assert parquet.read_table(path).to_pylist() == [*rows, *more_cells("later.png")]
    assert not list(tmp_path.glob("*.part.jsonl"))


def more_cells(name):
    return [flat(row, CLASSES) for row in unit(name)]


def test_a_parquet_file_of_something_else_is_not_gone_on_with(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    run(path)
    parquet.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(CheckpointError, match="not written by this command"):
        run(path)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(CheckpointError, match="not written by this command"):
        run(path)
    assert not list(tmp_path.glob("*.part.jsonl"))


def test_an_output_that_cannot_be_is_refused_at_once(tmp_path):
    with pytest.raises(ParameterError, match=r"\.jsonl, \.csv, \.parquet.*'a\.txt'"):
        check_output(tmp_path / "a.txt")
    with pytest.raises(ParameterError, match="there is no folder"):
        check_output(tmp_path / "none" / "a.csv")
