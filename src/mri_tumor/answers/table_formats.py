"""Rows of answers as lines of JSON or CSV, and what is whole of a file that was cut short."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Row = dict[str, Any]

# A spreadsheet takes a cell that begins so for a formula, and runs it.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def plain_text(text: str) -> str:
    r"""Return a text that UTF-8 can hold: undecodable bytes of a file's name are written out.

    Examples
    --------
    >>> plain_text("scan\udcff.png")
    'scan\\udcff.png'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def safe_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    Parameters
    ----------
    text : str
        Such as the name of a file from anywhere.

    Returns
    -------
    str
        With an apostrophe before it where it could be one.

    Examples
    --------
    >>> safe_cell("=HYPERLINK(1).png"), safe_cell("scan.png")
    ("'=HYPERLINK(1).png", 'scan.png')
    """
    return "'" + text if text.startswith(_FORMULA) else text


def columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of a table of answers; ``p_`` keeps a class from being a formula."""
    return [
        "file", "kind", "slice", "label", "tumor_probability",
        *(f"p_{name}" for name in classes), "status", "message",
    ]  # fmt: skip


def flat(row: Row, classes: Sequence[str]) -> Row:
    """Return a row with a column for each class, as a table has it."""
    probabilities = row["probabilities"] or {}
    return {
        "file": plain_text(row["file"]),
        "kind": row.get("kind", "image"),
        "slice": row.get("slice"),
        "label": row["label"],
        "tumor_probability": row["tumor_probability"],
        **{f"p_{name}": probabilities.get(name) for name in classes},
        "status": row["status"],
        "message": row["message"],
    }


def unflat(cells: Row, classes: Sequence[str]) -> Row:
    """Return the row that `flat` made these cells of."""
    found = {name: cells[f"p_{name}"] for name in classes}
    row = {name: value for name, value in cells.items() if not name.startswith("p_")}
    row["probabilities"] = None if None in found.values() else found
    if row["kind"] == "image":
        del row["kind"], row["slice"]
    return row


@dataclass(frozen=True)
class Format:
    """One way to write rows.

    Parameters
    ----------
    header : callable
        From the classes to what stands at the top of the file.
    write : callable
        From a row and the classes to its bytes, end of line included.
    rows : callable
        From a path to its whole rows, each with the offset behind it in bytes. What follows
        the last of them was cut short.
    file_cell : callable
        From a file's name to how the rows write it.
    """

    header: Callable[[Sequence[str]], bytes]
    write: Callable[[Row, Sequence[str]], bytes]
    rows: Callable[[Path], Iterator[tuple[Row, int]]]
    file_cell: Callable[[str], str]


def _write_json(row: Row, _classes: Sequence[str]) -> bytes:
    text = json.dumps(row, allow_nan=False, ensure_ascii=False)
    # An undecodable byte of a file's name becomes JSON's own escape, which gives it back.
    return plain_text(text).encode() + b"\n"


def _json_rows(path: Path) -> Iterator[tuple[Row, int]]:
    end = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            end += len(line)
            try:
                row = json.loads(line)
                row["file"], row["status"]
            except (ValueError, TypeError, KeyError, RecursionError):
                raise _foreign(path, number) from None
            yield row, end


def _cells(values: Sequence[Any]) -> bytes:
    buffer = io.StringIO()
    safe = [safe_cell(plain_text(value)) if isinstance(value, str) else value for value in values]
    # With both characters in the end of a line, a cell that holds either is quoted.
    csv.writer(buffer, lineterminator="\r\n").writerow(safe)
    return buffer.getvalue().encode()


def _write_csv(row: Row, classes: Sequence[str]) -> bytes:
    return _cells(list(flat(row, classes).values()))


def _csv_rows(path: Path) -> Iterator[tuple[Row, int]]:
    names: list[str] | None = None
    end = 0
    with path.open("rb") as file:
        for number, record in enumerate(_records(file), 1):
            end += len(record)
            try:
                text = record.decode("utf-8")
                (cells,) = csv.reader(io.StringIO(text, newline=""))
                if names is None:
                    names = cells
                    continue
                row: Row = dict(zip(names, cells, strict=True))
                row["file"], row["status"], row["kind"]
            except (ValueError, KeyError, csv.Error):
                raise _foreign(path, number) from None
            yield row, end


def _records(file: Any) -> Iterator[bytes]:
    """Yield the records of a CSV file; a line's end within quotes ends none."""
    parts: list[bytes] = []
    quotes = 0
    for line in file:
        parts.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0 and line.endswith(b"\n"):
            yield b"".join(parts)
            parts, quotes = [], 0


def _foreign(path: Path, number: int) -> CheckpointError:
    return CheckpointError(
        f"{path}: row {number} was not written by this command. Choose another output."
    )


JSON_LINES = Format(
    header=lambda _classes: b"", write=_write_json, rows=_json_rows, file_cell=lambda name: name
)
CSV = Format(
    header=lambda classes: _cells(columns(classes)),
    write=_write_csv,
    rows=_csv_rows,
    file_cell=lambda name: safe_cell(plain_text(name)),
)
