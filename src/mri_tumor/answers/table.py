"""A file of answers that grows row by row, and that a killed run can go on with."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from mri_tumor.answers.table_formats import (
    CSV,
    JSON_LINES,
    Format,
    Row,
    columns,
    flat,
    plain_text,
    unflat,
)
from mri_tumor.errors import CheckpointError, ParameterError
from mri_tumor.files import only_one, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

SUFFIXES = (".jsonl", ".csv", ".parquet")
# Seconds between two times that rows are forced to the disk. A kill loses nothing that was
# written; a loss of power loses what came after the last time.
_SYNC_EVERY = 5.0
_ROWS_PER_GROUP = 50_000


def check_output(path: Path) -> None:
    """Refuse an output that cannot be written, before any work is done.

    Parameters
    ----------
    path : Path
        Its suffix says the format.

    Raises
    ------
    ParameterError
        If the suffix is unknown, the folder is missing, or PyArrow is for Parquet.
    """
    if path.suffix.lower() not in SUFFIXES:
        message = f"output: must end in {', '.join(SUFFIXES)}. Received: {path.name!r}"
        raise ParameterError(message)
    if not path.absolute().parent.is_dir():
        message = f"output: there is no folder {path.parent}. Make it first."
        raise ParameterError(message)
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError:
            message = (
                "output: Parquet needs PyArrow: pip install 'mri-tumor[parquet]'. "
                "Or write .jsonl or .csv."
            )
            raise ParameterError(message) from None


class AnswerTable:
    """A growing file of answers. Use it in a ``with`` statement.

    Rows of one image, or of one volume (its slices, then one of kind ``"volume"``), make a
    unit. A kill can leave the last unit unfinished; it is taken back before the run goes on.
    Parquet is written as JSON lines beside it, and turned into Parquet at the end.

    Parameters
    ----------
    path : Path
        The file; ``.jsonl``, ``.csv`` or ``.parquet``.
    settings : mapping
        What decides the answers, such as the model's hash: kept in ``FILE.run.json``, and the
        same when the run goes on.
    classes : sequence of str
        Classes in the order of the columns.
    resume : bool, default=False
        Go on with what is there.

    Attributes
    ----------
    counts : Counter of str
        Rows by status, those of earlier runs included; rows of slices are not counted.
    resumed : int
        Units that were there already.

    Raises
    ------
    CheckpointError
        If the file is there already and not to be resumed, or is of another run, or another
        process writes it.
    ParameterError
        As `check_output`.
    """

    def __init__(
        self,
        path: Path,
        settings: Mapping[str, Any],
        classes: Sequence[str],
        *,
        resume: bool = False,
    ) -> None:
        check_output(path)
        self.path, self.classes, self.resume = path, tuple(classes), resume
        self.settings = {**settings, "classes": list(classes)}
        parquet = path.suffix.lower() == ".parquet"
        self.format: Format = CSV if path.suffix.lower() == ".csv" else JSON_LINES
        if parquet:
            # The rows come back out of a finished file with the names as it holds them.
            self.format = replace(JSON_LINES, file_cell=plain_text)
        self.working = path.with_name(path.name + ".part.jsonl") if parquet else path
        self.report = path.with_name(path.name + ".run.json")
        self.counts: Counter[str] = Counter()
        self.resumed = 0
        self._done: Counter[bytes] = Counter()
        self._owners: dict[bytes, bytes] = {}
        self._stack = contextlib.ExitStack()
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        with self._stack:
            lock = self.path.with_name(f".{self.path.name}.lock")
            self._stack.enter_context(only_one(lock, what=str(self.path)))
            self._open()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_details: object) -> None:
        self._stack.close()

    def take_back(self, name: str, files: Sequence[str] = ()) -> bool:
        """Say whether an input has its rows already; of two with one name, each counts once.

        Parameters
        ----------
        name : str
            What the file or the volume is called.
        files : sequence of str
            Of a series its files: with others it is another one, and with these the same
            whatever it is called.

        Returns
        -------
        bool
            True if an earlier run finished it.
        """
        # What could not be opened has one row, by its name.
        for key in (self._unit(name, files), self._unit(name)):
            if self._done.get(key, 0):
                self._done[key] -= 1
                return True
        return False

    def has_part_of(self, name: str, files: Sequence[str] = ()) -> bool:
        """Say whether a file of an input has a row in a unit that was not taken back.

        So it is where slices came into a series, or left it, after its rows were written.

        Parameters
        ----------
        name, files
            As in `take_back`.

        Returns
        -------
        bool
            True if the input's rows would double some that are there.
        """
        keys = (self._unit(file) for file in files or (name,))
        return any(self._done.get(self._owners.get(key, key), 0) for key in keys)

    def write(self, rows: Iterable[Row]) -> None:
        """Add rows; they are in the operating system's hands when this returns.

        Parameters
        ----------
        rows : iterable of dict
            From `Assessment.to_dict`, with ``kind`` ("slice" or "volume") and ``slice`` for
            those of a volume.

        Raises
        ------
        OSError
            If the disk is full. What was cut short is taken back by the next run.
        """
        rows = list(rows)
        self._file.write(b"".join(self.format.write(row, self.classes) for row in rows))
        self._file.flush()
        self.counts.update(row["status"] for row in rows if row.get("kind") != "slice")
        if time.monotonic() - self._synced > _SYNC_EVERY:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def finish(self) -> dict[str, Any]:
        """Finish the file and its report.

        Returns
        -------
        dict
            The report: settings, times, rows by status.
        """
        os.fsync(self._file.fileno())
        if self.working != self.path:
            write_whole(self.path, self._write_parquet)
            self.working.unlink()
        report = {**self.settings, **self._times, "finished": _now(), "counts": dict(self.counts)}
        self._write_report(report)
        return report

    # -- inside -----------------------------------------------------------------------------

    def _open(self) -> None:
        begun, finished = _has_content(self.working), _has_content(self.path)
        there = begun or finished
        if there and not self.resume:
            message = (
                f"{self.path}: is there already. Pass --resume to go on with it, remove it, or "
                "choose another output."
            )
            raise CheckpointError(message)
        self._times: dict[str, Any] = {"started": _now()}
        end = 0
        if there:
            self._check_report()
            if not begun:
                # It was finished; there may be new files by now.
                write_whole(self.working, self._write_lines)
            end = self._scan()
        else:
            self._write_report({**self.settings, **self._times})
        self._file = self._stack.enter_context(self.working.open("ab"))
        self._file.truncate(end)
        if not end:
            self._file.write(self.format.header(self.classes))
            self._file.flush()

    def _scan(self) -> int:
        """Read what is whole; return where it ends, in bytes."""
        whole = 0
        files: list[str] = []
        for row, end in self.format.rows(self.working):
            files.append(row["file"])
            if row.get("kind", "image") == "slice":
                continue
            name = files.pop()
            unit = self._unit(name, files)
            self._done[unit] += 1
            self._owners.update((self._unit(file), unit) for file in files if file != name)
            self.counts[row["status"]] += 1
            self.resumed += 1
            whole, files = end, []
        return whole

    def _unit(self, name: str, files: Sequence[str] = ()) -> bytes:
        """Return the key of an input: its name, or the files of a series."""
        own = self.format.file_cell(name)
        cells = {self.format.file_cell(file) for file in files} - {own}
        return _key("\0".join(sorted(cells)) if cells else own)

    def _check_report(self) -> None:
        try:
            kept = json.loads(self.report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            message = (
                f"{self.report}: is missing or damaged, so that nobody can say which model wrote "
                f"{self.path.name}. Choose another output."
            )
            raise CheckpointError(message) from None
        for name, value in self.settings.items():
            if kept.get(name) != value:
                message = (
                    f"{self.path}: was begun with {name} {kept.get(name)!r}, and now it is "
                    f"{value!r}. Use the same, or choose another output."
                )
                raise CheckpointError(message)
        self._times = {"started": kept.get("started"), "resumed": _now()}

    def _write_report(self, report: Mapping[str, Any]) -> None:
        text = json.dumps(report, indent=2, ensure_ascii=True) + "\n"
        write_whole(self.report, lambda file: file.write(text.encode()))

    def _write_lines(self, file: Any) -> None:
        """Turn a finished Parquet file into lines again."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path) as table:
                for batch in table.iter_batches(_ROWS_PER_GROUP):
                    for row in batch.to_pylist():
                        file.write(self.format.write(unflat(row, self.classes), self.classes))
        except (pa.ArrowException, KeyError) as error:
            message = f"{self.path}: was not written by this command. Choose another output."
            raise CheckpointError(message) from error

    def _write_parquet(self, file: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {"slice": pa.int32(), "tumor_probability": pa.float64()}
        kinds |= {f"p_{name}": pa.float64() for name in self.classes}
        schema = pa.schema(
            [(name, kinds.get(name, pa.string())) for name in columns(self.classes)]
        )
        with pq.ParquetWriter(file, schema) as writer:
            for rows in _chunks(self.format.rows(self.working)):
                made = [flat(row, self.classes) for row in rows]
                writer.write_table(pa.Table.from_pylist(made, schema=schema))


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _chunks(rows: Iterator[tuple[Row, int]]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row, _ in rows:
        chunk.append(row)
        if len(chunk) == _ROWS_PER_GROUP:
            yield chunk
            chunk = []
    yield chunk


def _key(cell: str) -> bytes:
    # 16 bytes each: a million finished files take about 150 MB, however long their names.
    return hashlib.blake2b(cell.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")
