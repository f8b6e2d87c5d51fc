"""The images and volumes of a part, wherever they lie, in bounded memory."""

from __future__ import annotations

import tarfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import ImageError
from mri_tumor.images.limits import MAX_BYTES
from mri_tumor.images.listing import EXTENSIONS
from mri_tumor.images.messages import refusal, shown
from mri_tumor.images.scans import Scan, find_scans, scans_among, uploaded_scans
from mri_tumor.images.sniffing import HEAD, sniff
from mri_tumor.images.sources import Upload
from mri_tumor.scale.places import is_url, open_place, read_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.images.options import Plane
    from mri_tumor.scale.parts import Part

# Files that are fetched from elsewhere at a time: enough to hide 100 ms of delay at 100 images/s.
_AHEAD = 16
# Columns of a Parquet shard that hold an image, or its name; the first that is there counts.
IMAGE_COLUMNS = ("image", "bytes", "content", "data", "png", "jpg", "jpeg", "dcm")
NAME_COLUMNS = ("file", "path", "file_name", "name", "__key__", "id")
_ROWS = 64


def open_part(part: Part, *, plane: Plane | None = None) -> Iterator[Scan]:
    """Yield the images and volumes of a part; what cannot be read comes as one that says so.

    Parameters
    ----------
    part : Part
        From `find_parts`.
    plane : {"axial", "coronal", "sagittal"}, optional
        How to cut NIfTI volumes; axial by default.

    Yields
    ------
    Scan
        An image or a volume.
    """
    if part.kind == "given":
        yield from find_scans(part.names, plane=plane)
    elif part.kind == "found":
        yield from scans_among([Path(name) for name in part.names], plane=plane)
    elif part.kind == "url":
        yield from _fetched(part.names, plane)
    else:
        read = _tar if part.kind == "tar" else _parquet
        for shard in part.names:
            try:
                yield from read(shard, plane)
            except ImageError as error:
                yield _broken(shard, error)
            # The libraries have many kinds of errors for damage; a row names the shard.
            except Exception as error:  # noqa: BLE001
                why = str(error).splitlines()[0] if str(error) else type(error).__name__
                problem = f"is a {part.kind} shard that is damaged ({shown(why)})"
                advice = "Copy it again; rows before this one are good"
                yield _broken(shard, refusal(shown(shard), problem, advice))


def _fetched(names: tuple[str, ...], plane: Plane | None) -> Iterator[Scan]:
    """Fetch files some ahead of their turn."""
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="mri-tumor-fetch") as pool:
        waiting: deque[Any] = deque()
        upcoming = iter(names)
        try:
            while True:
                while len(waiting) < _AHEAD and (name := next(upcoming, None)) is not None:
                    waiting.append((name, pool.submit(read_url, name)))
                if not waiting:
                    return
                name, future = waiting.popleft()
                try:
                    yield from _held(name, future.result(), plane)
                except ImageError as error:
                    yield _broken(name, error)
        finally:
            for _, future in waiting:
                future.cancel()


def _tar(shard: str, plane: Plane | None) -> Iterator[Scan]:
    # Read as a stream, from the front to the back, and never unpacked.
    with (
        open_place(shard) as stream,
        tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Member) as archive,
    ):
        for member in archive:
            name = f"{shard}/{member.name}"
            hidden = member.name.rpartition("/")[2].startswith(".")
            if not member.isfile() or hidden:
                continue
            if member.size > MAX_BYTES:
                problem = f"has {member.size:,} bytes, over the limit of {MAX_BYTES:,}"
                yield _broken(name, refusal(shown(name), problem, "Give a smaller file"))
                continue
            content = archive.extractfile(member)
            assert content is not None  # noqa: S101
            head = content.read(HEAD)
            known = member.name.lower().endswith(tuple(EXTENSIONS))
            if known or sniff(head) is not None:
                yield from _held(name, head + content.read(), plane)
        if not getattr(archive, "whole", False):
            raise tarfile.ReadError("it ends early")


class _Member(tarfile.TarInfo):
    """Notes that an archive's own end was met: without it, Python takes a cut for the end."""

    @classmethod
    def fromtarfile(cls, tarfile_: Any) -> Any:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            tarfile_.whole = True
            raise


def _parquet(shard: str, plane: Plane | None) -> Iterator[Scan]:
    import pyarrow.parquet as pq

    with open_place(shard) as stream, pq.ParquetFile(stream) as table:
        columns = table.schema_arrow.names
        image = next((name for name in IMAGE_COLUMNS if name in columns), None)
        label = next((name for name in NAME_COLUMNS if name in columns), None)
        if image is None and label is None:
            raise refusal(
                shown(shard),
                f"has no column for images ({', '.join(IMAGE_COLUMNS)}) or for their paths",
                "Rename the column",
            )
        at = 0
        wanted = [name for name in (image, label) if name is not None]
        for batch in table.iter_batches(_ROWS, columns=wanted):
            for row in batch.to_pylist():
                yield from _row(shard, at, row, image, label, plane)
                at += 1


def _row(  # noqa: PLR0917
    shard: str,
    at: int,
    row: dict[str, Any],
    image: str | None,
    label: str | None,
    plane: Plane | None,
) -> Iterator[Scan]:
    """Yield the image of one row; Hugging Face's ``{"bytes": ..., "path": ...}`` is known."""
    cell = row[image] if image else None
    name = row[label] if label else None
    if isinstance(cell, dict):
        name, cell = name or cell.get("path"), cell.get("bytes")
    called = f"{shard}/{at if name is None else name}"
    if isinstance(cell, bytes):
        yield from _held(called, cell, plane)
    elif cell is None and image is None and isinstance(name, str):
        if is_url(name):
            yield from _fetched((name,), plane)
        else:
            yield from find_scans([name], plane=plane)
    else:
        yield _broken(called, refusal(shown(called), "holds no image", "Check the row"))


def _held(name: str, data: bytes, plane: Plane | None) -> Iterator[Scan]:
    """Yield the image or volume that some bytes are."""
    # A kept series of one file is an image, so a slice of DICOM in a shard is one by itself.
    yield from uploaded_scans([Upload(name, data)], plane=plane)


def _broken(name: str, error: ImageError) -> Scan:
    return Scan(name, read=partial(_raise, error))


def _raise(error: ImageError) -> NDArray[np.uint8]:
    raise error
