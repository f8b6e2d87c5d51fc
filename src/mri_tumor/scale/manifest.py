"""Which parts of a scored archive are finished: what is in no line of it does not count."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from mri_tumor.errors import CheckpointError, MRITumorError
from mri_tumor.files import only_one, sync_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mri_tumor.scale.parts import Part
    from mri_tumor.scale.scorer import Scored

# What reads a folder of Parquet files passes over names that begin so.
RUN, MANIFEST, _LOCK = "_run.json", "_manifest.jsonl", ".lock"


class Manifest:
    """The folder of a scored archive, written by one process. Use it in a ``with`` statement.

    ``_run.json`` says what was begun, with what, and whether it is finished. ``_manifest.jsonl`` has
    a line for each finished part, which is added once the part's file is on the disk under its
    final name. A line that a kill cut short does not count, nor does a file without a line: that
    part is done again, under the same name, so that each image is in exactly one part.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    settings : mapping
        What decides the rows; the same when the run goes on.
    resume : bool, default=False
        Go on with what is there.

    Attributes
    ----------
    finished : dict of int to str
        Fingerprint of each finished part.
    counts : Counter of str
        Images by status, those of earlier runs included.
    rows : int
        Rows of all finished parts.

    Raises
    ------
    CheckpointError
        If the folder holds something else, or a run that is not to be resumed, or another
        process writes there.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, resume: bool = False) -> None:
        self.folder, self.settings, self.resume = folder, dict(settings), resume
        self.finished: dict[int, str] = {}
        self.counts: Counter[str] = Counter()
        self.rows = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(only_one(self.folder / _LOCK, what=str(self.folder)))
            self._open()
            self._file = stack.enter_context((self.folder / MANIFEST).open("ab"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_details: object) -> None:
        refused = kind is not None and issubclass(kind, MRITumorError)
        own = {_LOCK, RUN, MANIFEST}
        if refused and own.issuperset(path.name for path in self.folder.iterdir()):
            # Nothing was scored: a corrected command may use the folder.
            for name in (RUN, MANIFEST):
                (self.folder / name).unlink(missing_ok=True)
        self._stack.close()

    def left(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Yield the parts that are not finished yet, as `unfinished` does."""
        return unfinished(parts, self.finished)

    def commit(self, scored: Scored) -> bool:
        """Write a part, and then that it is finished; both are on the disk when this returns.

        Parameters
        ----------
        scored : Scored
            The part. If it is finished already, it is passed over.

        Returns
        -------
        bool
            Whether it was written.

        Raises
        ------
        OSError
            If the disk is full. What is finished stays finished.
        """
        number = scored.part.number
        if number in self.finished:
            return False
        name = f"part-{number:08d}.parquet"
        write_whole(self.folder / name, lambda file: file.write(scored.content))
        line = {
            "part": number,
            "file": name,
            "bytes": len(scored.content),
            "sha256": hashlib.sha256(scored.content).hexdigest(),
            "rows": scored.rows,
            "counts": dict(scored.counts),
            "inputs": scored.part.fingerprint,
            "left_out": len(scored.part.left_out),
        }
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._count(line)
        return True

    def finish(self, seconds: float) -> dict[str, Any]:
        """Say that the run is finished.

        Returns
        -------
        dict
            What ``_run.json`` holds.

        Raises
        ------
        CheckpointError
            If a part is missing.
        """
        missing = set(range(len(self.finished))) - set(self.finished)
        if missing:
            message = f"{self.folder}: part {min(missing)} is missing. Go on with --resume."
            raise CheckpointError(message)
        report = {
            **self._about,
            "finished": _now(),
            "seconds": round(seconds, 3),
            "parts": len(self.finished),
            "rows": self.rows,
            "counts": dict(self.counts),
        }
        self._write_run(report)
        return report

    # -- inside -----------------------------------------------------------------------------

    def _open(self) -> None:
        run = self.folder / RUN
        if not run.exists():
            others = [path.name for path in self.folder.iterdir() if path.name != _LOCK]
            if others:
                message = (
                    f"{self.folder}: holds {others[0]!r}, which no run put there. Choose a folder "
                    "that is new or empty."
                )
                raise CheckpointError(message)
            self._about: dict[str, Any] = {**self.settings, "started": _now()}
            self._write_run(self._about)
            (self.folder / MANIFEST).touch()
            sync_folder(self.folder)
            return
        if not self.resume:
            message = (
                f"{self.folder}: was begun already. Pass --resume to go on with it, or choose "
                "another output."
            )
            raise CheckpointError(message)
        self._check_run(run)
        self._read_lines()

    def _check_run(self, run: Path) -> None:
        try:
            kept = json.loads(run.read_text(encoding="utf-8"))
            kept["started"]
        except (OSError, ValueError, KeyError, TypeError):
            message = (
                f"{run}: is damaged, so that nobody can say which model made the parts. Choose "
                "another output."
            )
            raise CheckpointError(message) from None
        for name, value in json.loads(json.dumps(self.settings)).items():
            if kept.get(name) != value:
                message = (
                    f"{self.folder}: was begun with {name} {kept.get(name)!r}, and now it is "
                    f"{value!r}. Use the same, or choose another output."
                )
                raise CheckpointError(message)
        self._about = {**self.settings, "started": kept["started"], "resumed": _now()}

    def _read_lines(self) -> None:
        file = self.folder / MANIFEST
        whole = 0
        content = file.read_bytes() if file.exists() else b""
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break  # cut short
            try:
                entry = json.loads(line)
                there = (self.folder / entry["file"]).stat().st_size == entry["bytes"]
                if there and entry["part"] not in self.finished:
                    self._count(entry)
            except FileNotFoundError:
                pass  # somebody removed the part: it is done again
            except (ValueError, KeyError, TypeError, AttributeError):
                message = f"{file}: is damaged. Choose another output."
                raise CheckpointError(message) from None
            whole += len(line)
        if whole < len(content):
            with file.open("r+b") as stream:
                stream.truncate(whole)

    def _count(self, line: Mapping[str, Any]) -> None:
        self.finished[line["part"]] = line["inputs"]
        self.counts.update(line["counts"])
        self.rows += line["rows"]

    def _write_run(self, report: Mapping[str, Any]) -> None:
        text = json.dumps(report, indent=2, ensure_ascii=True) + "\n"
        write_whole(self.folder / RUN, lambda file: file.write(text.encode()))


def unfinished(parts: Iterable[Part], finished: Mapping[int, str]) -> Iterator[Part]:
    """Yield the parts that are not finished yet.

    Parameters
    ----------
    parts : iterable of Part
        All parts, in order.
    finished : mapping of int to str
        Fingerprints of those that are.

    Yields
    ------
    Part
        What is left.

    Raises
    ------
    CheckpointError
        If a finished part holds other inputs: the archive has changed since.
    """
    for part in parts:
        known = finished.get(part.number)
        if known is None:
            yield part
        elif known != part.fingerprint:
            message = (
                f"inputs: part {part.number} held other files when the run began; it would begin "
                f"at {part.names[0] if part.names else 'nothing'!r} now. Score what is new into "
                "another output, or all of it."
            )
            raise CheckpointError(message)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
