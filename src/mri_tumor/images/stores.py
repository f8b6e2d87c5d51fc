"""Bytes of a large file, read in pieces from disk or from a scratch copy."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from mri_tumor.images.messages import refusal

_IN_MEMORY = 2**26
_CHUNK = 2**20
# Trailing bytes that are read to reach the checksum of a gzip file.
_TRAILER = 2**22


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class ByteStore:
    """Bytes that can be read from any position, from several threads.

    Parameters
    ----------
    name : str
        What messages call the file.
    read_at : callable
        Takes a number of bytes and a position, returns as many bytes or fewer.
    release : callable, optional
        Lets go of the bytes.
    """

    name: str
    read_at: Callable[[int, int], bytes] = field(repr=False)
    release: Callable[[], None] = field(default=_nothing, repr=False)

    def read(self, length: int, start: int) -> bytes:
        """Return bytes, or raise ImageError if there are not as many."""
        parts: list[bytes] = []
        while length > 0:
            try:
                part = self.read_at(length, start)
            except OSError:
                part = b""
            if not part:
                raise truncated(self.name)
            parts.append(part)
            length, start = length - len(part), start + len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def truncated(name: str) -> Exception:
    """Make the error for a file that ends early.

    Parameters
    ----------
    name : str
        What messages call it.

    Returns
    -------
    ImageError
        To be raised.
    """
    return refusal(
        name, "is a NIfTI file that ends early (truncated)", "Copy or download it again"
    )


def from_stream(stream: IO[bytes], name: str) -> ByteStore:
    """Read from an open file; a file on disk may be closed by its owner meanwhile.

    Parameters
    ----------
    stream : binary file object
        A file on disk or a buffer in memory.
    name : str
        What messages call it.

    Returns
    -------
    ByteStore
        The same bytes.
    """
    try:
        descriptor = os.dup(stream.fileno())
    except OSError:
        stream.seek(0)
        return _in_memory(stream.read(), name)
    return _on_disk(descriptor, name)


def _on_disk(descriptor: int, name: str) -> ByteStore:
    return ByteStore(
        name,
        lambda length, start: os.pread(descriptor, length, start),
        lambda: os.close(descriptor),
    )


def _in_memory(data: bytes, name: str) -> ByteStore:
    return ByteStore(name, lambda length, start: data[start : start + length])


def unpacked(
    stream: IO[bytes], name: str, *, start: int, length: int, in_memory: bool = False
) -> ByteStore:
    """Unpack a part of a gzip file, into memory if it is small, else into a scratch file.

    The scratch file has no name and vanishes with its last reader. No more is unpacked than
    is asked for, whatever the file holds.

    Parameters
    ----------
    stream : binary file object
        The gzip file.
    name : str
        What messages call it.
    start, length : int
        Which of the unpacked bytes are wanted.
    in_memory : bool, default=False
        Never use a scratch file.

    Returns
    -------
    ByteStore
        Only these bytes, so that the first of them is at 0.

    Raises
    ------
    ImageError
        If it is damaged or ends early, or the scratch file does not fit on the disk.
    """
    stream.seek(0)
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as plain:
            _copy(plain, start, None, name)
            if in_memory or length <= _IN_MEMORY:
                parts: list[bytes] = []
                _copy(plain, length, parts.append, name)
                _check_end(plain)
                return _in_memory(b"".join(parts), name)
            with tempfile.TemporaryFile() as scratch:
                _copy(plain, length, scratch.write, name)
                _check_end(plain)
                scratch.flush()
                return _on_disk(os.dup(scratch.fileno()), name)
    except EOFError:
        raise truncated(name) from None
    except (gzip.BadGzipFile, zlib.error):
        raise refusal(
            name, "is a gzip file that is damaged", "Copy or download it again"
        ) from None
    except OSError as error:
        raise refusal(
            name,
            f"cannot be unpacked ({error.strerror})",
            "Unpack it by gunzip, or set TMPDIR to a folder with more room",
        ) from None


def _copy(
    plain: gzip.GzipFile, length: int, write: Callable[[bytes], object] | None, name: str
) -> None:
    while length > 0:
        part = plain.read(min(length, _CHUNK))
        if not part:
            raise truncated(name)
        if write:
            write(part)
        length -= len(part)


def _check_end(plain: gzip.GzipFile) -> None:
    # The checksum is compared when the end is reached.
    left = _TRAILER
    while left > 0 and (part := plain.read(_CHUNK)):
        left -= len(part)
