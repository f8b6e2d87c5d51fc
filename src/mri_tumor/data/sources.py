"""List the images of folders and tables, with what their place says about them."""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mri_tumor.data.splits import TEST, TRAIN, VALIDATION
from mri_tumor.errors import DataError, ParameterError
from mri_tumor.labels import canonical_label, is_missing

#: A folder, a CSV file or a DataFrame.
Source = str | os.PathLike[str] | Any

LAYOUT = (
    "one folder per class (glioma, meningioma, notumor, pituitary, or yes and no), "
    "with or without Training and Testing above them, or a CSV file with the columns "
    "path and label"
)
_SPLIT_NAMES = {
    **dict.fromkeys(["train", "training", "trainset"], TRAIN),
    **dict.fromkeys(["val", "valid", "validation", "validate", "dev"], VALIDATION),
    **dict.fromkeys(["test", "testing", "testset", "holdout"], TEST),
}
_COLUMNS = {
    "path": ("path", "file", "filename", "filepath", "file_path", "image", "image_path"),
    "label": ("label", "class", "diagnosis", "target", "class_name", "category"),
    "patient": ("patient", "patient_id", "patientid", "pid", "subject", "subject_id"),
    "source": ("source", "dataset", "site", "hospital", "scanner"),
    "split": ("split", "subset", "partition"),
}
# Folders that lie beside images in published archives and hold none to learn from.
_SKIPPED = re.compile(
    r"(\.|\$|__macosx$|lost\+found$|(.*[\W_])?(masks?|segmentations?|annotations)$)", re.IGNORECASE
)
_SKIPPED_FILES = frozenset(["thumbs.db", "desktop.ini"])
_IMAGE_ENDINGS = frozenset(
    ".jpg .jpeg .jpe .png .bmp .tif .tiff .webp .gif .dcm .dicom .nii .gz".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a source, before it is read.

    Attributes
    ----------
    path : str
        Where the file is.
    name : str
        Class as the source writes it; empty where nothing says it.
    source : str
        Name of the source.
    split : str
        ``"train"``, ``"validation"``, ``"test"`` or empty.
    patient : str or None
        Patient, where known.
    """

    path: str
    name: str
    source: str
    split: str = ""
    patient: str | None = None


def split_name(name: object) -> str | None:
    """Read the name of a part of a split as data sets write it.

    Examples
    --------
    >>> split_name("Training"), split_name("valid"), split_name("yes")
    ('train', 'validation', None)
    """
    return _SPLIT_NAMES.get(re.sub(r"[\W_]+|set$", "", str(name).lower()))


def list_entries(
    source: Source | Sequence[Source] | Mapping[str, Source],
    *,
    columns: Mapping[str, str] | None = None,
    own_names: bool = False,
) -> list[Entry]:
    """List every file of one source or several.

    Parameters
    ----------
    source : path, DataFrame, or a sequence or mapping of these
        A mapping gives the sources' names; otherwise a folder is named after itself, and a
        folder that is itself a class or a split (``br35h/tumor``) after its parent.
    columns : mapping of str to str, optional
        Column names of a table, by meaning: path, label, patient, source, split.
    own_names : bool, default=False
        The classes are none of this field's, so that the outermost folder that is no split
        names the class; otherwise the innermost folder with a known class name does.

    Returns
    -------
    list of Entry
        In the order of the sources, sorted by path within a folder.

    Raises
    ------
    DataError
        If a source is missing, empty or has no classes.
    ParameterError
        If a source is neither a path nor a table, or there are columns and no table.
    """
    named = _name_sources(source)
    if columns and all(
        isinstance(one, str | os.PathLike) and _expanded(one).is_dir() for _, one in named
    ):
        message = (
            "columns: names the columns of a table, and only folders were given, whose classes "
            "are the folders' names. Leave it out."
        )
        raise ParameterError(message)
    entries = [_list_source(one, name, columns, own_names) for name, one in named]
    # Training/ and Testing/ given one by one are a split; Training/ alone is not.
    roots = [_root_split(one) for _, one in named]
    if len({root for root in roots if root}) > 1:
        entries = [
            [replace(entry, split=entry.split or root or "") for entry in listed]
            for root, listed in zip(roots, entries, strict=True)
        ]
    return [entry for listed in entries for entry in listed]


def _name_sources(source: Any) -> list[tuple[str | None, Source]]:
    if isinstance(source, Mapping):
        named: list[tuple[str | None, Source]] = [(str(k), v) for k, v in source.items()]
    elif isinstance(source, list | tuple):
        named = [(None, one) for one in source]
    else:
        named = [(None, source)]
    if not named:
        raise DataError(f"no folder or table was given. Expected {LAYOUT}.")
    return named


def _root_split(source: Source) -> str | None:
    return split_name(Path(source).name) if isinstance(source, str | os.PathLike) else None


def _list_source(
    source: Source, name: str | None, columns: Mapping[str, str] | None, own_names: bool
) -> list[Entry]:
    if hasattr(source, "columns") and hasattr(source, "to_dict"):
        rows = source.to_dict("records")
        return _list_rows(rows, list(source.columns), Path(), name or "table", columns)
    if not isinstance(source, str | os.PathLike):
        raise ParameterError(
            f"source must be a folder, a CSV file or a DataFrame. Received: {type(source).__name__}"
        )
    path = _expanded(source)
    if path.is_dir():
        return _list_folder(path, name, own_names)
    if not path.exists():
        raise DataError(f"{path}: there is no such folder or file. Expected {LAYOUT}.")
    if path.suffix.lower() not in {".csv", ".tsv", ".txt"}:
        raise DataError(f"{path}: is a single file, not a data set. Expected {LAYOUT}.")
    header, rows = _read_csv(path)
    return _list_rows(rows, header, path.parent, name or path.stem, columns)


def _list_folder(root: Path, name: str | None, own_names: bool) -> list[Entry]:
    resolved = root.resolve()
    root_class = _root_class(resolved.name)
    is_part = split_name(resolved.name) or root_class
    source = name or (resolved.parent.name if is_part else resolved.name) or str(resolved)
    files = [(file, file.relative_to(root).parts[:-1]) for file in _walk(root)]
    labels = [_class_folder(parts, own_names) for _, parts in files]
    if root_class and not any(labels):
        labels = [resolved.name] * len(labels)
    entries = [
        Entry(str(file), label.strip(), source, next(filter(None, map(split_name, parts)), ""))
        for (file, parts), label in zip(files, labels, strict=True)
        # A note or a table beside the class folders is no part of the data.
        if label or file.suffix.lower() in _IMAGE_ENDINGS
    ]
    if not entries:
        raise DataError(f"{root}: holds no images. Expected {LAYOUT}.")
    if not any(entry.name for entry in entries):
        raise DataError(
            f"{root}: has {len(entries)} images but no class folders, so their labels are not "
            f"known. Expected {LAYOUT}."
        )
    return entries


def _root_class(name: str) -> str:
    """Tell whether a folder that is given is one class: tumor is, brain-tumor-mri is not."""
    whole = re.search("mri|brain|data|image|scan", name.lower())
    return "" if whole or canonical_label(name) is None else name


def _class_folder(parts: tuple[str, ...], own_names: bool) -> str:
    """Name the folder that gives the class, or nothing."""
    classes = [part for part in parts if split_name(part) is None]
    if own_names:
        return classes[0] if classes else ""
    known = [part for part in classes if canonical_label(part)]
    return (known or classes or [""])[-1]


def _walk(root: Path) -> Iterator[Path]:
    """Give every file below a folder, sorted, without hidden ones; follow links once."""
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=_stop):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(sub for sub in folders if not _SKIPPED.match(sub))
        for file in sorted(files):
            if not file.startswith(".") and file.lower() not in _SKIPPED_FILES:
                yield Path(folder, file)


def _stop(error: OSError) -> None:
    """Stop at a folder that cannot be looked into: a whole class may lie in it."""
    reason = error.strerror or str(error)
    raise DataError(
        f"{error.filename}: this folder cannot be read ({reason}). Check its permissions, or move "
        "it elsewhere."
    ) from None


def _read_csv(path: Path) -> tuple[list[str], list[dict[str, Any]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            sample = stream.read(4096)
            stream.seek(0)
            delimiter = max(",;\t", key=sample.split("\n", 1)[0].count)
            reader = csv.DictReader(stream, delimiter=delimiter)
            header, rows = list(reader.fieldnames or []), list(reader)
        for cell in [*header, *(cell for row in rows for cell in row.values())]:
            try:
                str(cell).encode()
            except UnicodeEncodeError:
                # The name of a file may be no UTF-8; anything else tells of another encoding.
                if not (path.parent / cell).exists():
                    raise
        return header, rows
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV file ({error}).") from error


def _list_rows(
    rows: Sequence[Mapping[str, Any]],
    header: Sequence[object],
    folder: Path,
    name: str,
    columns: Mapping[str, str] | None,
) -> list[Entry]:
    column = _find_columns([str(title) for title in header], name, columns or {})
    if not rows:
        raise DataError(f"{name}: the table has no rows.")

    def cell(row: Mapping[str, Any], meaning: str) -> str:
        value = row.get(column[meaning]) if meaning in column else None
        if is_missing(value):
            return ""
        # Whole numbers beside a missing one become floats: 1.0 is the label, or the patient, 1.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return str(value).strip()

    entries = []
    for number, row in enumerate(rows, start=1):
        given = cell(row, "split")
        split = split_name(given)
        if given and split is None:
            raise DataError(
                f"{name}, row {number}: split {given!r} is none of train, validation, test."
            )
        if not cell(row, "path"):
            raise DataError(f"{name}, row {number}: the path is empty.")
        entries.append(
            Entry(
                path=str(folder / _expanded(cell(row, "path"))),
                name=cell(row, "label"),
                source=cell(row, "source") or name,
                split=split or "",
                patient=cell(row, "patient") or None,
            )
        )
    return entries


def _expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with the home folder for ``~``; one of nobody stays as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _find_columns(header: list[str], name: str, given: Mapping[str, str]) -> dict[str, str]:
    """Match the columns of a table with their meaning."""
    unknown = sorted(set(given) - set(_COLUMNS))
    if unknown:
        raise ParameterError(
            f"columns: {unknown[0]!r} is none of {', '.join(_COLUMNS)}. "
            "Give the table's column names by meaning, as in columns={'label': 'diagnosis'}."
        )
    lower = {title.strip().lower(): title for title in reversed(header)}
    found = {
        meaning: next(lower[alias] for alias in aliases if alias in lower)
        for meaning, aliases in _COLUMNS.items()
        if any(alias in lower for alias in aliases)
    } | dict(given)
    for meaning in [*given, "path", "label"]:
        if found.get(meaning) not in header:
            wanted = given.get(meaning, meaning)
            raise DataError(
                f"{name}: has no column {wanted!r}; it has {', '.join(header) or 'none'}. "
                f"Rename it, or say which it is: columns={{{meaning!r}: ...}}."
            )
    return found
