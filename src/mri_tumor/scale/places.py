"""Files on other machines, by the URLs and the drivers of fsspec."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any

from mri_tumor.errors import ImageError, MissingExtraError
from mri_tumor.images.limits import MAX_BYTES
from mri_tumor.images.listing import EXTENSIONS
from mri_tumor.images.messages import refusal, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::|://)")
# Without one of these a name is a path, and a query or a password in it is shown to nobody.
_SECRET = re.compile(r"(?<=//)[^/@]*@")


def is_url(name: str) -> bool:
    """Say whether a name is a URL for fsspec, and no path.

    Examples
    --------
    >>> is_url("s3://bucket/scans"), is_url("scans/a.png")
    (True, False)
    """
    return _URL.match(name) is not None


def list_url(url: str, *, shards: frozenset[str]) -> Iterator[str]:
    """Yield the image files and shards below a URL, in order; a file itself, whatever it is.

    One folder's names are in memory at a time. Without reading them a file is known by its
    name alone, so that files without an ending are passed over.

    Parameters
    ----------
    url : str
        Of a file, a folder, or a pattern such as ``s3://bucket/*.tar``.
    shards : frozenset of str
        Endings of shards.

    Yields
    ------
    str
        URLs.

    Raises
    ------
    ImageError
        If it cannot be listed.
    MissingExtraError
        If fsspec, or its driver for the protocol, is not installed.
    """
    system, path = _system(url)
    try:
        if any(sign in path for sign in "*?["):
            yield from (_full(system, url, one) for one in sorted(system.glob(path)))
        elif system.isdir(path):
            yield from (_full(system, url, one) for one in _walk(system, path, shards))
        else:
            yield url
    except (OSError, ValueError) as error:
        raise _unreachable(url, error) from error


def read_url(url: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a file.

    Raises
    ------
    ImageError
        If it cannot be read, or is larger than `max_bytes`.
    """
    with open_place(url) as stream:
        try:
            data: bytes = stream.read(max_bytes + 1)
        except Exception as error:
            raise _unreachable(url, error) from error
    if len(data) > max_bytes:
        raise refusal(shown(url), f"has more than {max_bytes:,} bytes", "Give a smaller file")
    return data


def open_place(name: str) -> IO[bytes]:
    """Open a path or a URL for reading.

    Raises
    ------
    ImageError
        If it cannot be opened.
    """
    try:
        if is_url(name):
            system, path = _system(name)
            stream = system.open(path, "rb")
            # An archive is closed with its file system, which must live as long as the stream.
            stream.file_system = system
            return stream  # type: ignore[no-any-return]
        return open(name, "rb")  # noqa: PTH123 - a name may hold what a Path would change
    except MissingExtraError:
        raise
    # Drivers have errors of their own, of any kind.
    except Exception as error:
        raise _unreachable(name, error) from error


def _walk(system: Any, path: str, shards: frozenset[str]) -> Iterator[str]:
    endings = tuple(EXTENSIONS | shards | {".tar.gz"})
    pending = [path]
    while pending:
        folder = pending.pop()
        entries = sorted(system.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
        below = []
        for entry in entries:
            name = str(entry["name"])
            hidden = name.rstrip("/").rpartition("/")[2].startswith(".")
            if hidden or name.rstrip("/") == folder.rstrip("/"):
                continue
            if entry["type"] == "directory":
                below.append(name)
            elif name.lower().endswith(endings):
                yield name
        pending += reversed(below)


def _full(system: Any, url: str, name: str) -> str:
    """Return the URL of a file by the URL of the folder it is in, and its name in the file system.

    fsspec's own `unstrip_protocol` leaves out the archive that the folder is in, and the host.
    """
    first, chained, rest = url.partition("::")
    scheme, has_path, place = first.partition("://")
    if chained and has_path:
        return f"{scheme}://{name.lstrip('/')}::{rest}"
    if chained:
        # A cache in front of another file system, whose names it takes.
        return f"{first}::{_full(system, rest, name)}"
    host = place.partition("/")[0]
    if host and name.startswith("/") and scheme != "memory":
        return f"{scheme}://{host}{name}"
    if has_path and scheme not in _protocols(system):
        return f"{scheme}://{name}"
    return str(system.unstrip_protocol(name))


def _protocols(system: Any) -> tuple[str, ...]:
    own = system.protocol
    return (own,) if isinstance(own, str) else tuple(own)


def _system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except ImportError as error:
        message = (
            f"{_plain(url)}: reading it needs fsspec and its driver for this protocol ({error}). "
            "pip install 'mri-tumor[ray]', and for s3:// s3fs, for gs:// gcsfs."
        )
        raise MissingExtraError(message) from error
    except (ValueError, OSError) as error:
        raise _unreachable(url, error) from error
    return system, path


def _unreachable(name: str, error: Exception) -> ImageError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return refusal(_plain(name), f"cannot be read ({shown(why)})", "Check the address")


def _plain(name: str) -> str:
    return shown(_SECRET.sub("", name))
