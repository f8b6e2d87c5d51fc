"""Files that survive a crash: written whole or not at all, by one process at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

from mri_tumor.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO


@contextlib.contextmanager
def only_one(lock: Path, *, what: str) -> Iterator[None]:
    """Let one process at a time into the block.

    The operating system holds the lock, so that a killed process leaves none behind.

    Parameters
    ----------
    lock : Path
        Lock file; its folder exists. It is removed at the end.
    what : str
        What is locked, as the error calls it.

    Raises
    ------
    CheckpointError
        If another process is in the block.
    """
    from filelock import FileLock, Timeout

    held = FileLock(lock)
    try:
        held.acquire(blocking=False)
    except Timeout:
        message = f"{what}: another run is working there. Wait for it, or choose another place."
        raise CheckpointError(message) from None
    try:
        yield
    finally:
        # While it is held: whoever opened it before finds it without a name and tries again.
        with contextlib.suppress(PermissionError):  # Windows keeps it until it is released
            lock.unlink(missing_ok=True)
        held.release()


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name and rename it, so that it is never half there.

    It is on the disk when this returns: neither a kill nor a loss of power takes it back.

    Parameters
    ----------
    path : Path
        The file; an older one is replaced. What is no file, such as a terminal, is written to.
    write : callable
        Writes its content to an open binary file.

    Raises
    ------
    OSError
        If it cannot be written. What was there before is still there.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            write(file)
        return
    path = path.resolve()
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk, as a rename alone does not, where it can be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # on Windows; or it may be written to, but not read
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Put all files of a folder, and their names, on the disk."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
        else:
            # Windows flushes only what is open for writing.
            with path.open("r+b" if os.name == "nt" else "rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def reserve(path: Path) -> None:
    """Give a file that was made at its full size all of its space on the disk.

    Without it a memory-mapped file on a full disk ends the process by a signal, without a word.

    Parameters
    ----------
    path : Path
        An existing file.

    Raises
    ------
    OSError
        If the disk is full.
    """
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if size and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
