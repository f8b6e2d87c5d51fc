"""Open what a caller gives (path, bytes, open file) as one bounded, seekable stream."""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeAlias

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.images.messages import refusal, shown


@dataclass(frozen=True, order=True)
class Upload:
    """A file in memory, with the name that it came with.

    Parameters
    ----------
    name : str
        What messages call it.
    data : bytes
        Its content.
    """

    name: str
    data: bytes = field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.name


Source: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | Upload


@dataclass(frozen=True)
class Opened:
    """A source that is open for reading.

    Parameters
    ----------
    stream : file object
        Binary and seekable, at its beginning.
    name : str
        What messages call it.
    size : int
        Bytes in the stream.
    path : pathlib.Path or None
        Where it is on disk, if it is.
    """

    stream: IO[bytes]
    name: str
    size: int
    path: Path | None = None


def source_name(source: object, name: str | None = None) -> str:
    """Return what messages call a source.

    Parameters
    ----------
    source : path, bytes, upload or file object
        What the caller gave.
    name : str, optional
        What the caller wants it to be called, such as the name of an upload.

    Returns
    -------
    str
        A printable name.
    """
    if name is not None:
        return shown(name)
    if isinstance(source, str | os.PathLike):
        return shown(os.fspath(source))
    if isinstance(source, Upload):
        return shown(source.name)
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    inner = getattr(source, "name", None)
    return shown(inner) if isinstance(inner, str) and inner else "<stream>"


@contextmanager
def opened(source: Source, *, name: str | None = None, max_bytes: int) -> Iterator[Opened]:
    """Open a source for the length of the block.

    Parameters
    ----------
    source : str, path, bytes, upload or binary file object
        A file object is read from where it stands, and left open.
    name : str, optional
        What messages call it.
    max_bytes : int
        Most bytes that are taken from memory or a file object. A file on disk is read in
        pieces: its size is checked once its kind is known.

    Yields
    ------
    Opened
        The stream with its name and size.

    Raises
    ------
    ImageError
        If it does not exist, is a folder, a device or empty, or cannot be read.
    ParameterError
        If `source` is none of the accepted types.
    """
    label = source_name(source, name)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        with _open_file(path, label) as file:
            size = os.fstat(file.fileno()).st_size
            _check_not_empty(size, label)
            yield Opened(file, label, size, path)
        return
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, Upload):
        data = source.data
    elif callable(getattr(source, "read", None)):
        data = _read_all(source, label, max_bytes)
    else:
        msg = (
            f"source: {type(source).__name__} cannot be read as an image file. Pass a path, "
            "bytes or a binary file object; an array goes to as_grey_image."
        )
        raise ParameterError(msg)
    _check_not_empty(len(data), label)
    given = Opened(io.BytesIO(data), label, len(data))
    check_bytes(given, max_bytes)
    yield given


def check_bytes(file: Opened, max_bytes: int) -> None:
    """Refuse a file that is too large.

    Parameters
    ----------
    file : Opened
        The file.
    max_bytes : int
        Most bytes that are accepted.

    Raises
    ------
    ImageError
        If it has more.
    """
    if file.size > max_bytes:
        raise refusal(
            file.name,
            f"has {file.size:,} bytes or more, over the limit of {max_bytes:,}",
            "Give a smaller file, or raise the limit if you trust it",
        )


def is_folder(source: object) -> Path | None:
    """Return the path of a folder, None for all else.

    Parameters
    ----------
    source : object
        What the caller gave.

    Returns
    -------
    pathlib.Path or None
        The folder.
    """
    if not isinstance(source, str | os.PathLike):
        return None
    try:
        path = Path(source)
        return path if path.is_dir() else None
    except (OSError, ValueError):
        return None


def _open_file(path: Path, label: str) -> IO[bytes]:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise refusal(
                label,
                "is a folder",
                "Pass one file, or the folder of a DICOM series to read_volume",
            )
        if not stat.S_ISREG(mode):
            # Opening a pipe would wait for ever.
            raise refusal(label, "is no regular file", "Pass a file on disk")
        return path.open("rb")
    except ImageError:
        raise
    except FileNotFoundError:
        raise refusal(label, "does not exist", "Check the path") from None
    except PermissionError:
        raise refusal(label, "may not be read", "Check the file's permissions") from None
    except (OSError, ValueError) as error:
        # ValueError: a null character in the path.
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise refusal(label, f"cannot be opened ({reason})", "Check the path") from None


def _read_all(source: Any, label: str, max_bytes: int) -> bytes:
    try:
        data = source.read(max_bytes + 1)
    except (OSError, ValueError):
        raise refusal(label, "cannot be read", "Pass an open binary file object") from None
    if not isinstance(data, bytes):
        msg = f"{label}: the file object gives {type(data).__name__}. Open it in binary mode."
        raise ParameterError(msg)
    return data


def _check_not_empty(size: int, label: str) -> None:
    if size == 0:
        raise refusal(label, "is empty (0 bytes)", "Copy or download it again")
