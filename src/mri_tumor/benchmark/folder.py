"""The folder of a benchmark: what is finished stays, whatever moment it is killed at.

``settings.json`` says what all cells share. A cell has a folder of its own below ``cells``:
``cell.json`` is written last, whole or not at all, and what has none is not finished.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mri_tumor.benchmark.records import CellResult
from mri_tumor.errors import CheckpointError, MRITumorError
from mri_tumor.files import only_one, write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_SETTINGS, _LOCK, _CELLS, _SPEED = "settings.json", "lock", "cells", "speed.json"
_CELL, _PREDICTIONS = "cell.json", "predictions.npz"
# Settings whose values are hashes say nothing to a person.
_IN_WORDS = {"images": "the images, their labels, groups or parts are others"}


class BenchmarkFolder:
    """The folder of one benchmark, held by one process. Use it in a ``with`` statement.

    Parameters
    ----------
    path : str or path
        Made if it is missing.
    settings : mapping
        What all cells share, from `settings_of`.

    Raises
    ------
    CheckpointError
        If another process works there, the benchmark there has other settings, or the folder
        holds something else.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.settings = json.loads(json.dumps(dict(settings)))
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise CheckpointError(f"{self.path}: is a file. Choose a folder for the benchmark.")
        self.path.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            stack.enter_context(only_one(self.path / _LOCK, what=str(self.path)))
            self._begin()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_details: object) -> None:
        self._stack.close()

    def cell(self, key: str) -> Path:
        """Return the folder of a cell, which is made."""
        folder = self.path / _CELLS / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def read(self, key: str) -> CellResult | None:
        """Return a cell that has ended, None if it has not.

        Raises
        ------
        CheckpointError
            If what is there is damaged, as no kill leaves it.
        """
        folder = self.path / _CELLS / key
        if not (folder / _CELL).exists():
            return None
        try:
            plain = json.loads((folder / _CELL).read_text(encoding="utf-8"))
            rows = None
            if plain["report"] is not None:
                # NumPy leaves a file that it opened itself open where it is damaged.
                path = folder / _PREDICTIONS
                with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                    rows = np.asarray(content["probabilities"], np.float64)
                if rows.shape != (plain["report"]["n_images"], len(plain["report"]["classes"])):
                    raise ValueError("other images")
            return CellResult.from_dict(plain, rows)
        except (
            OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, MRITumorError,
        ):  # fmt: skip
            message = f"{folder}: is damaged. Remove it, and run the benchmark again."
            raise CheckpointError(message) from None

    def keep(self, result: CellResult) -> None:
        """Put a cell that has ended on the disk.

        Raises
        ------
        OSError
            If the disk is full; then the cell counts as not finished.
        """
        folder = self.cell(result.key)
        rows = result.probabilities
        if rows is not None:
            write_whole(
                folder / _PREDICTIONS,
                lambda file: np.savez(file, allow_pickle=False, probabilities=rows),
            )
        _write_json(folder / _CELL, result.to_dict())

    def read_speed(self) -> dict[str, Any]:
        """Return the speeds that were measured, empty if there are none to use."""
        try:
            found = json.loads((self.path / _SPEED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def keep_speed(self, speed: Mapping[str, Any]) -> None:
        """Put the speeds on the disk."""
        _write_json(self.path / _SPEED, dict(speed))

    def _begin(self) -> None:
        """Say what the benchmark is, and refuse if another one was begun here."""
        file = self.path / _SETTINGS
        if not file.exists():
            others = [one.name for one in self.path.iterdir() if one.name != _LOCK]
            if others:
                message = (
                    f"{self.path}: holds {min(others)!r}, which no benchmark put there. "
                    "Choose another folder."
                )
                raise CheckpointError(message)
            _write_json(file, self.settings)
            return
        try:
            then = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            message = f"{file}: is damaged. Remove {self.path}, or choose another folder."
            raise CheckpointError(message) from None
        for name in {**then, **self.settings}:
            before, now = then.get(name), self.settings.get(name)
            if before != now:
                why = _IN_WORDS.get(name, f"{name} was {before!r}, and is {now!r}")
                message = (
                    f"{self.path}: a benchmark with other settings is here ({why}). Use the same "
                    "settings, or choose another folder."
                )
                raise CheckpointError(message)


def _write_json(path: Path, value: Any) -> None:
    content = (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()
    write_whole(path, lambda file: file.write(content))
