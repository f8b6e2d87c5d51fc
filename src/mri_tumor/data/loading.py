"""Load a data set: list, name, read once, group, split, and say what was found."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mri_tumor.data.dataset import Dataset
from mri_tumor.data.dividing import divide
from mri_tumor.data.duplicates import NEAR_RADIUS, connected_groups, group_duplicates, links_of
from mri_tumor.data.hashing import Fingerprint, fingerprint_files, perceptual_hashes
from mri_tumor.data.problems import Problem, describe_problems
from mri_tumor.data.sources import LAYOUT, Entry, Source, list_entries
from mri_tumor.data.splits import FRACTIONS, DataWarning, LeakWarning
from mri_tumor.errors import DataError, ParameterError
from mri_tumor.labels import (
    FOUR,
    NEGATIVE,
    TASKS,
    UNKNOWN_TUMOR,
    infer_classes,
    infer_task,
    map_names,
    to_task,
)

GroupBy = Literal["auto", "near-duplicates", "patient", "file"]
Progress = Callable[[int, int], None]
_GROUPINGS = ("auto", "near-duplicates", "patient", "file")


def load_dataset(
    source: Source | Sequence[Source] | Mapping[str, Source],
    *,
    task: str | None = None,
    negative_class: str | None = None,
    columns: Mapping[str, str] | None = None,
    group_by: GroupBy = "auto",
    radius: int = NEAR_RADIUS,
    split: str | os.PathLike[str] | None = "given",
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    strict: bool = False,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load a folder or a table of images with their labels, check and split it.

    Every file is read once, in parallel, to see that it decodes and to find its copies; the
    pixels are not kept. Files that cannot be used are left out, listed in
    `Dataset.problems`, and told in a `DataWarning`.

    Parameters
    ----------
    source : path, DataFrame, or a sequence or mapping of these
        A folder with one folder per class, at any depth, with or without ``Training`` and
        ``Testing`` folders; a CSV file or DataFrame with columns path, label and optionally
        patient, source, split; or several of them, as a mapping from the sources' names where
        the folders' own names will not do. Paths in a CSV file are relative to it.
    task : {"binary", "four"}, optional
        What to tell apart. By default ``"four"`` where a subtype occurs, else ``"binary"``.
        In four classes, images labelled just *tumor* are kept with the label ``"tumor"``.
    negative_class : str, optional
        For classes of one's own: the name that means *no tumor*. Names then stay as they are
        (with ``"notumor"``, those that are not known).
    columns : mapping of str to str, optional
        Column names of a table by meaning, as in ``{"path": "file", "label": "diagnosis"}``.
    group_by : {"auto", "near-duplicates", "patient", "file"}, default="auto"
        Which images belong together: those of a patient, those that look alike, by default
        both; ``"file"`` takes each image for itself, which leaks where there are copies.
    radius : int, default=16
        Bits of 256 in which the perceptual hashes of near-duplicates may differ.
    split : {"given", "new"}, path or None, default="given"
        ``"given"`` keeps the parts that the folders or the table name, if they name a test or
        a validation part, and divides the training part by group for those not named;
        otherwise, as with ``"new"``, everything is divided by group. A path reads a file of
        `write_split`. None leaves the data whole, for evaluating and predicting: then one
        class is enough.
    fractions : tuple of float, default=(0.7, 0.15, 0.15)
        Shares of training, validation and test.
    seed : int, default=0
        Seed of the split.
    strict : bool, default=False
        Raise where a file cannot be used or the given split leaks, rather than warn.
    n_threads : int, optional
        Threads that read; the number of processors by default.
    progress : callable, optional
        Called with the number of files read and of all files.

    Returns
    -------
    Dataset
        Paths, labels, groups, sources and splits, aligned.

    Raises
    ------
    DataError
        If a source is missing, empty or not laid out as above, no label is known, there is
        only one class, no negative class, or a class with too few groups to be split; under
        `strict`, at any unusable file or leak.
    ParameterError
        If an option is not one of those named.

    Examples
    --------
    >>> data = load_dataset("brain-tumor-mri")  # doctest: +SKIP
    >>> data.train, data.test.counts()  # doctest: +SKIP
    """
    _check_options(task, group_by, fractions)
    own_names = negative_class not in {None, NEGATIVE}
    entries = list_entries(source, columns=columns, own_names=own_names)
    entries, mapping, problems = _name_classes(entries, negative_class)
    read = _read(entries, n_threads, progress)
    problems += read.problems
    if strict and problems:
        raise DataError("\n".join(describe_problems(problems, n_files=_total(read, problems))))
    if not read.entries:
        told = "\n".join(describe_problems(problems, n_files=len(problems)))
        raise DataError(f"no file could be used.\n{told}")
    dataset = _assemble(
        read,
        task=task,
        negative_class=negative_class or NEGATIVE,
        mapping=mapping,
        problems=problems,
        group_by=group_by,
        radius=radius,
    )
    dataset = divide(dataset, split, fractions, seed)
    _tell(dataset, strict=strict)
    return dataset


def _check_options(task: str | None, group_by: str, fractions: tuple[float, ...]) -> None:
    if task not in {None, *TASKS}:
        raise ParameterError(f"task must be 'binary', 'four' or None. Received: {task!r}")
    if group_by not in _GROUPINGS:
        raise ParameterError(f"group_by must be one of {_GROUPINGS}. Received: {group_by!r}")
    if fractions[0] <= 0:
        raise ParameterError(f"fractions: the training part cannot be empty: {fractions}")


@dataclass(frozen=True)
class _Read:
    entries: list[Entry]
    prints: list[Fingerprint]
    hashes: NDArray[np.uint8]
    problems: list[Problem]


def _name_classes(
    entries: list[Entry], negative_class: str | None
) -> tuple[list[Entry], dict[str, str], list[Problem]]:
    """Translate the names of classes; files whose class is not known become problems."""
    names = map_names((e.name for e in entries if e.name), negative_class=negative_class)
    known = {name: label for name, label in names.items() if label}
    if not known:
        raise DataError(
            f"none of the class names is known: {', '.join(map(repr, names)) or 'none given'}. "
            f"Expected {LAYOUT}. For classes of your own, say which of them means no tumor with "
            "negative_class."
        )
    if negative_class is not None and negative_class not in known.values():
        raise DataError(
            f"negative_class {negative_class!r} does not occur; found {', '.join(known)}."
        )
    problems = [
        Problem(entry.path, f"the class {entry.name!r} is not known")
        if entry.name
        else Problem(entry.path, "lies outside of the class folders, or its label is empty")
        for entry in entries
        if entry.name not in known
    ]
    kept = [replace(entry, name=known[entry.name]) for entry in entries if entry.name in known]
    return kept, known, problems


def _read(entries: list[Entry], n_threads: int | None, progress: Progress | None) -> _Read:
    kept, prints, problems = [], [], []
    results = fingerprint_files([e.path for e in entries], n_threads=n_threads, progress=progress)
    for entry, result in zip(entries, results, strict=True):
        if isinstance(result, Fingerprint):
            kept.append(entry)
            prints.append(result)
        else:
            problems.append(Problem(entry.path, str(result)))
    coefficients = np.array([one.coefficients for one in prints]).reshape(-1, 16, 16)
    return _Read(kept, prints, perceptual_hashes(coefficients), problems)


def _total(read: _Read, problems: Sequence[Problem]) -> int:
    return len(read.entries) + len(problems)


def _group(read: _Read, group_by: str, alike: NDArray[np.int64]) -> NDArray[np.int64]:
    n = len(read.entries)
    if group_by == "file":
        return np.arange(n)
    if group_by == "near-duplicates":
        return alike
    # A patient's number means nothing outside of its source.
    patients = links_of([e.patient and (e.source, e.patient) for e in read.entries])
    if group_by == "auto":
        same = links_of(alike.tolist())
        ends = [np.concatenate(pair) for pair in zip(same, patients, strict=True)]
        return connected_groups(n, *ends)
    if not any(entry.patient for entry in read.entries):
        raise DataError(
            "group_by='patient' needs to know the patients. Give a table with a 'patient' "
            "column, or use group_by='near-duplicates'."
        )
    return connected_groups(n, *patients)


def _choose_task(names: list[str], task: str | None, negative: str) -> tuple[list[str], str]:
    """Express the labels in the task asked for, or in the one they allow."""
    found = set(names)
    own = negative != NEGATIVE or bool(found - {*FOUR, UNKNOWN_TUMOR})
    if not own:
        task = task or infer_task(names)
        return [to_task(name, task) for name in names], task
    if task == "four":
        raise DataError(
            f"task='four' needs the classes {', '.join(FOUR)}; found {', '.join(sorted(found))}. "
            "Leave the task out for classes of your own."
        )
    if task == "binary":
        return [name if name == negative else UNKNOWN_TUMOR for name in names], task
    return names, "binary" if len(found) == 2 else "custom"


def _assemble(
    read: _Read,
    *,
    task: str | None,
    negative_class: str,
    mapping: dict[str, str],
    problems: list[Problem],
    group_by: str,
    radius: int,
) -> Dataset:
    labels, task = _choose_task([entry.name for entry in read.entries], task, negative_class)
    pixels = tuple(one.pixels for one in read.prints)
    alike = group_duplicates(pixels, read.hashes, radius=radius)
    return Dataset(
        paths=tuple(entry.path for entry in read.entries),
        labels=tuple(labels),
        groups=_group(read, group_by, alike),
        duplicates=alike,
        sources=tuple(entry.source for entry in read.entries),
        splits=tuple(entry.split for entry in read.entries),
        patients=tuple(entry.patient for entry in read.entries),
        content_hashes=pixels,
        file_hashes=tuple(one.file for one in read.prints),
        perceptual_hashes=read.hashes,
        sizes=np.array([one.shape for one in read.prints], dtype=np.int64).reshape(-1, 2),
        classes=infer_classes(labels, task, negative_class=negative_class),
        task=task,
        negative_class=negative_class,
        problems=tuple(problems),
        label_mapping=mapping,
    )


def _tell(dataset: Dataset, *, strict: bool) -> None:
    """Warn of what was left out and of leaks."""
    if dataset.problems:
        n_files = len(dataset) + len(dataset.problems)
        told = "\n".join(describe_problems(dataset.problems, n_files=n_files))
        warnings.warn(told, DataWarning, stacklevel=3)
    if leaks := dataset.leaks:
        told = (
            f"the split leaks: {leaks}. Results on it will look better than they are; "
            "split='new' splits by group."
        )
        if strict:
            raise DataError(told)
        warnings.warn(told, LeakWarning, stacklevel=3)
