"""Cut inputs into parts, which are done or not done as a whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mri_tumor.images.listing import list_images
from mri_tumor.images.messages import refusal, shown
from mri_tumor.scale.places import is_url, list_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mri_tumor.errors import ImageError

TAR = frozenset({".tar", ".tgz", ".tar.gz"})
PARQUET = frozenset({".parquet", ".pq"})
# `.gz` alone, so that a listing that knows only last endings finds `.tar.gz`.
SHARDS = frozenset({".tar", ".tgz", ".parquet", ".pq"})
# Files of these names may be slices of one volume, which no cut may divide.
_MAYBE_DICOM = frozenset({"", ".dcm", ".dicom", ".ima"})

Kind = Literal["given", "found", "url", "tar", "parquet"]


@dataclass(frozen=True)
class Part:
    """Some inputs in order, whose rows go into one file.

    Parameters
    ----------
    number : int
        Which part, from 0.
    kind : {"given", "found", "url", "tar", "parquet"}
        ``"given"``: files that were named; ``"found"``: files of a folder, whose DICOM images
        make volumes; ``"url"``: files elsewhere; the others are one shard each.
    names : tuple of str
        Paths or URLs.
    left_out : tuple of str, optional
        What the listing passed over on the way to them, and why.
    """

    number: int
    kind: Kind
    names: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What tells these inputs from others, 32 hexadecimal digits."""
        digest = hashlib.blake2b(self.kind.encode(), digest_size=16)
        for name in self.names:
            digest.update(b"\0" + name.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def to_json(self) -> str:
        """Write it as JSON, in which undecodable bytes of names survive."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Part:
        """Read what `to_json` wrote."""
        found = json.loads(text)
        return cls(found["number"], found["kind"], tuple(found["names"]), tuple(found["left_out"]))


def find_parts(inputs: Iterable[str], *, size: int) -> Iterator[Part]:
    """Yield the parts of inputs in a fixed order, as the files are found.

    No more than one part is in memory. The same inputs give the same parts; a folder's DICOM
    images stay together, and each shard is a part by itself.

    Parameters
    ----------
    inputs : iterable of str
        Files, folders, tar or Parquet shards, and URLs of them.
    size : int
        Most files of a part, but for DICOM images of one folder.

    Yields
    ------
    Part
        With the next number.

    Raises
    ------
    ImageError
        If a folder is missing or a URL cannot be listed.
    """
    left_out: list[str] = []
    waiting: list[str] = []
    kind: Kind = "found"
    number = 0

    def cut() -> Iterator[Part]:
        nonlocal number
        if waiting or left_out:
            yield Part(number, kind, tuple(waiting), tuple(left_out))
            number += 1
            waiting.clear()
            left_out.clear()

    for found, name in _files(inputs, left_out):
        full = len(waiting) >= size and not _may_belong(waiting[-1], name, found)
        if found != kind or found in {"tar", "parquet"} or full:
            yield from cut()
        kind = found
        waiting.append(name)
    yield from cut()


def _files(inputs: Iterable[str], left_out: list[str]) -> Iterator[tuple[Kind, str]]:
    """Yield each file with its kind."""

    def skip(path: Path, reason: str) -> None:
        left_out.append(f"{shown(path)}: {reason}")

    for given in inputs:
        if is_url(given):
            for name in list_url(given, shards=SHARDS):
                yield _kind(name, "url"), name
        elif Path(given).is_dir():
            for path in list_images(given, on_skip=skip, also=SHARDS | {".gz"}):
                name = str(path)
                own = _kind(name, "found")
                # Asked for by its last ending, and no image by its whole name.
                if own != "found" or not name.endswith(".gz") or _is_nifti(name):
                    yield own, name
        else:
            yield _kind(given, "given"), given


def _kind(name: str, otherwise: Kind) -> Kind:
    lower = name.lower()
    if lower.endswith(tuple(TAR)):
        return "tar"
    return "parquet" if lower.endswith(tuple(PARQUET)) else otherwise


def _is_nifti(name: str) -> bool:
    return name.lower().endswith(".nii.gz")


def _may_belong(before: str, name: str, kind: Kind) -> bool:
    """Say whether two neighbours may be slices of one series."""
    one, other = Path(before), Path(name)
    if kind != "found" or one.parent != other.parent:
        return False
    return all(path.suffix.lower() in _MAYBE_DICOM or _is_odd(path) for path in (one, other))


def _is_odd(path: Path) -> bool:
    """Say whether an ending is none, but a number or part of a name, as in ``IM.0001``."""
    return path.suffix[1:].replace(".", "").isdigit()


def nothing_to_do(inputs: Iterable[str]) -> ImageError:
    """Return the error for inputs without a single image."""
    first = next(iter(inputs), "inputs")
    return refusal(shown(first), "there is no image in it", "Check the path")
