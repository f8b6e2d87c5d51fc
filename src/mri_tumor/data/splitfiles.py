"""Write a split to a file and apply it again, years later, to the same images."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from mri_tumor.data.splits import SPLITS
from mri_tumor.errors import DataError
from mri_tumor.files import write_whole

#: Version of the format; a reader refuses newer ones.
SPLIT_FORMAT = 1


class Images(Protocol):
    """What a split file is about: the relevant part of `Dataset`."""

    @property
    def paths(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def labels(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def splits(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def content_hashes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def file_hashes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102


def write_split(path: str | os.PathLike[str], dataset: Images) -> None:
    """Write which image is in which part, by what the files hold.

    Parameters
    ----------
    path : path-like
        File to write, JSON.
    dataset : Dataset
        Data whose `splits` are written, with paths relative to their common folder.

    Raises
    ------
    DataError
        If the file cannot be written.

    Examples
    --------
    >>> from mri_tumor import load_dataset, make_phantoms
    >>> _ = make_phantoms(40, classes=("notumor", "tumor"), size=64, folder="scans")
    >>> data = load_dataset("scans")
    >>> write_split("split.json", data)
    >>> read_split("split.json", data) == data.splits
    True
    """
    folder = _common_folder(dataset.paths)
    rows = zip(
        dataset.paths,
        dataset.labels,
        dataset.splits,
        dataset.file_hashes,
        dataset.content_hashes,
        strict=True,
    )
    document = {
        "format": "mri-tumor-split",
        "version": SPLIT_FORMAT,
        "fingerprint": dataset.fingerprint,
        "images": [
            {
                "path": Path(os.path.relpath(file, folder)).as_posix(),
                "label": label,
                "split": part,
                "file_sha256": file_hash,
                "pixels_sha256": pixels,
            }
            for file, label, part, file_hash, pixels in rows
        ],
    }
    # One image per line, so that a version control system can show what changed.
    images = ",\n".join(json.dumps(image) for image in document.pop("images"))  # type: ignore[attr-defined]
    text = json.dumps(document)[:-1] + f', "images": [\n{images}\n]}}\n'
    try:
        write_whole(Path(path), lambda file: file.write(text.encode()))
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}).") from error


def _common_folder(paths: Sequence[str]) -> str:
    try:
        return os.path.commonpath([os.path.dirname(os.path.abspath(p)) for p in paths])  # noqa: PTH100, PTH120
    except ValueError:  # no images, or several drives
        return os.curdir


def read_split(path: str | os.PathLike[str], dataset: Images) -> tuple[str, ...]:
    """Read a split file and find its images in the data by their fingerprints.

    An image is recognised by its file's bytes or else by its pixels, so that files may be
    renamed, moved, or saved again without loss.

    Parameters
    ----------
    path : path-like
        File that `write_split` wrote.
    dataset : Dataset
        Data to split.

    Returns
    -------
    tuple of str, length n_images
        ``"train"``, ``"validation"``, ``"test"`` or ``""`` for each image.

    Raises
    ------
    DataError
        If the file is missing, damaged or of a newer version, or the images are not exactly
        those it was written for; the message names what changed.

    Examples
    --------
    >>> from mri_tumor import load_dataset, make_phantoms
    >>> _ = make_phantoms(40, classes=("notumor", "tumor"), size=64, folder="scans")
    >>> data = load_dataset("scans")
    >>> write_split("split.json", data)
    >>> read_split("split.json", data)[:2] == data.splits[:2]
    True
    """
    rows = _read_rows(Path(path))
    # Copies of one image have the same hash but may differ in label or part: first come.
    by_file = _index(rows, "file_sha256")
    by_pixels = _index(rows, "pixels_sha256")
    by_name = {row["path"]: row for row in rows}
    used: set[int] = set()
    splits, unknown = [], []
    own = zip(
        dataset.paths, dataset.labels, dataset.file_hashes, dataset.content_hashes, strict=True
    )
    for file, label, file_hash, pixels in own:
        row = _take(by_file.get(file_hash, ()), used, file, label)
        row = row or _take(by_pixels.get(pixels, ()), used, file, label)
        if row is None:
            unknown.append(file)
        splits.append(row["split"] if row else "")
    missing = [row["path"] for row in rows if id(row) not in used]
    if unknown or missing:
        raise DataError(_what_changed(Path(path), unknown, missing, by_name))
    return tuple(splits)


def _index(rows: list[dict[str, Any]], key: str) -> dict[str, list[dict[str, Any]]]:
    index: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row.get(key):
            index.setdefault(row[key], []).append(row)
    return index


def _take(
    rows: Sequence[dict[str, Any]], used: set[int], file: str, label: str
) -> dict[str, Any] | None:
    """Choose the unused row that fits best: of the same name, then of the same label."""
    free = [row for row in rows if id(row) not in used]
    if not free:
        return None
    posix = Path(file).as_posix()
    best = max(free, key=lambda row: (posix.endswith(row["path"]), row.get("label") == label))
    used.add(id(best))
    return best


def _what_changed(
    path: Path, unknown: list[str], missing: list[str], by_name: dict[str, dict[str, Any]]
) -> str:
    changed = {name: file for file in unknown for name in by_name if _ends_with(file, name)}
    lists = {
        "changed": list(changed),
        "new": [file for file in unknown if file not in changed.values()],
        "missing": [name for name in missing if name not in changed],
    }
    told = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
        for what, names in lists.items()
        if names
    ]
    return (
        f"{path}: was written for other images: {'; '.join(told)}. Restore them, or write a new "
        "split with write_split."
    )


def _ends_with(file: str, name: str) -> bool:
    return f"/{Path(file).as_posix()}".endswith(f"/{name}")


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}). "
            "split must be 'given', 'new', None or a file of write_split."
        ) from error
    except ValueError as error:
        raise DataError(f"{path}: is no split file (not JSON: {error}).") from error
    if not isinstance(document, dict) or document.get("format") != "mri-tumor-split":
        raise DataError(f"{path}: is no split file of mri-tumor.")
    if document.get("version") != SPLIT_FORMAT:
        raise DataError(
            f"{path}: has format version {document.get('version')!r}; this release reads "
            f"{SPLIT_FORMAT}. Install a newer release."
        )
    rows = document.get("images")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict)
        and isinstance(row.get("path"), str)
        and row.get("split") in {*SPLITS, ""}
        for row in rows
    ):
        raise DataError(f"{path}: is damaged: each image needs a path and a split.")
    return rows
