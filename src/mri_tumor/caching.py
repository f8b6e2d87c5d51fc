"""A folder of large results that runs share: found by key, whole or absent, within a limit.

`MRI_TUMOR_CACHE` names the folder (by default the user's cache folder), and
`MRI_TUMOR_CACHE_LIMIT` its limit in gigabytes; 0 keeps nothing. It can be removed at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import CheckpointError, ParameterError
from mri_tumor.files import only_one, sync_folder, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER_VARIABLE = "MRI_TUMOR_CACHE"
LIMIT_VARIABLE = "MRI_TUMOR_CACHE_LIMIT"
_DEFAULT_LIMIT = 10.0
_ENTRY, _LOCK, _SCRATCH = "entry.json", "lock", ".scratch-"
_SETTLED = 60.0  # seconds


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One result in the cache.

    Parameters
    ----------
    key : str
        What it was found by.
    folder : Path
        Where its files are.
    n_bytes : int
        Size of its files.
    used : float
        When it was last used, in seconds since 1970.
    about : dict
        What it is, in plain values.
    """

    key: str
    folder: Path
    n_bytes: int
    used: float
    about: dict[str, Any]


def default_folder() -> Path:
    """Return the folder that is used unless another is given.

    Raises
    ------
    ParameterError
        If there is no home folder, and no environment variable names another.
    """
    try:
        if chosen := os.environ.get(FOLDER_VARIABLE):
            return Path(chosen).expanduser()
        root = os.environ.get("XDG_CACHE_HOME")
        return (Path(root) if root else Path.home() / ".cache") / "mri-tumor" / "features"
    except RuntimeError as error:
        message = (
            f"There is no home folder to keep a cache in ({error}). Set {FOLDER_VARIABLE} to a "
            "folder."
        )
        raise ParameterError(message) from error


def default_limit() -> int:
    """Return the limit in bytes that is used unless another is given.

    Raises
    ------
    ParameterError
        If the environment variable is no number of gigabytes.
    """
    text = os.environ.get(LIMIT_VARIABLE, "")
    try:
        limit = float(text) if text else _DEFAULT_LIMIT
        if not 0 <= limit < float("inf"):
            raise ValueError
    except ValueError:
        message = f"{LIMIT_VARIABLE}: must be a number of gigabytes, 0 or more. Received: {text!r}"
        raise ParameterError(message) from None
    return int(limit * 1e9)


class Cache:
    """Results in folders, by key; the least recently used go when the limit is reached.

    An entry is written under another name, forced to the disk and renamed, so a kill leaves it
    whole or absent. Files that another process has mapped stay readable for it when removed.

    Parameters
    ----------
    folder : Path, optional
        Made when something is kept; only its owner may read it.
    limit : int, optional
        Most bytes of all entries.

    Examples
    --------
    >>> from pathlib import Path
    >>> store = Cache(Path("features"))
    >>> store.entries()
    []
    """

    def __init__(self, folder: Path | None = None, *, limit: int | None = None) -> None:
        self.folder = default_folder() if folder is None else folder
        self.limit = default_limit() if limit is None else limit

    def entries(self) -> list[Entry]:
        """Return what is there, the least recently used first."""
        found = []
        for file in self.folder.glob(f"*/{_ENTRY}"):
            # Another process may remove it meanwhile; a damaged one is removed with the rest.
            with contextlib.suppress(OSError):
                try:
                    about = dict(json.loads(file.read_text("utf-8"))["about"])
                except (ValueError, KeyError, TypeError):
                    about = {}
                sizes = [path.stat().st_size for path in file.parent.iterdir()]
                found.append(
                    Entry(
                        key=file.parent.name,
                        folder=file.parent,
                        n_bytes=sum(sizes),
                        used=file.stat().st_mtime,
                        about=about,
                    )
                )
        return sorted(found, key=lambda entry: (entry.used, entry.key))

    def find(self, key: str) -> Path | None:
        """Return the folder of a result, None if it is not there whole; it counts as used."""
        folder = self.folder / key
        try:
            sizes = json.loads((folder / _ENTRY).read_text("utf-8"))["files"]
            whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
            if not whole:
                return None
            os.utime(folder / _ENTRY)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return folder

    def has_room_for(self, n_bytes: int) -> bool:
        """Say whether a result of this size may be kept, and its folder has room and is ours."""
        if n_bytes > self.limit:
            return False
        place = self.folder
        try:
            while not place.exists():
                place = place.parent
        except PermissionError:
            return False
        if not os.access(place, os.W_OK | os.X_OK):
            return False
        kept = sum(entry.n_bytes for entry in self.entries())
        removable = max(0, kept + n_bytes - self.limit)
        return n_bytes < shutil.disk_usage(place).free + removable

    @contextlib.contextmanager
    def new(self, key: str, *, n_bytes: int, about: Mapping[str, Any]) -> Iterator[Path]:
        """Give an empty folder for a result; it becomes an entry when the block has filled it.

        Parameters
        ----------
        key : str
            Letters and digits.
        n_bytes : int
            How large it will be; the least recently used entries make room for it.
        about : mapping
            What it is, as JSON can hold.

        Yields
        ------
        Path
            The folder to fill with files; it is `folder` / `key` afterwards.

        Raises
        ------
        OSError
            If the disk is full.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep()
        self._make_room(n_bytes)
        scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self.folder))
        try:
            # Whoever sweeps sees by the lock that this one is in use.
            with only_one(scratch / _LOCK, what=str(scratch)):
                yield scratch
                files = [path for path in scratch.iterdir() if path.name != _LOCK]
                content = {
                    "about": dict(about),
                    "created": time.time(),
                    "files": {path.name: path.stat().st_size for path in files},
                }
                for path in files:
                    with path.open("rb") as file:
                        os.fsync(file.fileno())
                text = json.dumps(content).encode()
                write_whole(scratch / _ENTRY, lambda file: file.write(text))
            self._publish(scratch, key)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _publish(self, scratch: Path, key: str) -> None:
        if self.find(key) is not None:
            return  # another run was quicker
        shutil.rmtree(self.folder / key, ignore_errors=True)
        with contextlib.suppress(FileExistsError):
            scratch.rename(self.folder / key)
        sync_folder(self.folder)

    def clear(self) -> tuple[int, int]:
        """Remove all entries and what killed runs left.

        Returns
        -------
        n_entries, n_bytes : int
            What was removed.
        """
        entries = self.entries()
        for entry in entries:
            shutil.rmtree(entry.folder, ignore_errors=True)
        self._sweep()
        with contextlib.suppress(OSError):
            self.folder.rmdir()
        return len(entries), sum(entry.n_bytes for entry in entries)

    def _make_room(self, n_bytes: int) -> None:
        entries = self.entries()
        kept = sum(entry.n_bytes for entry in entries)
        for entry in entries:
            free = shutil.disk_usage(self.folder).free
            if kept + n_bytes <= self.limit and n_bytes < free:
                return
            shutil.rmtree(entry.folder, ignore_errors=True)
            kept -= entry.n_bytes

    def _sweep(self) -> None:
        """Remove what killed runs left unfinished; whoever still works there holds its lock."""
        for path in self.folder.glob(f"{_SCRATCH}*"):
            with contextlib.suppress(CheckpointError, OSError):
                # A folder this new may not have its lock yet.
                if time.time() - path.stat().st_mtime > _SETTLED:
                    with only_one(path / _LOCK, what=str(path)):
                        shutil.rmtree(path, ignore_errors=True)
