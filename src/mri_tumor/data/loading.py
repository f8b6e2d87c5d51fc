"""Load a data set: list, name, read once, group, split, and say what was found."""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mri_tumor.data.assembling import GROUPINGS, GroupBy, ReadFiles, assemble
from mri_tumor.data.dataset import Dataset
from mri_tumor.data.dividing import divide
from mri_tumor.data.duplicates import NEAR_RADIUS
from mri_tumor.data.hashing import Fingerprint, fingerprint_files, perceptual_hashes
from mri_tumor.data.problems import Problem, describe_problems
from mri_tumor.data.sources import LAYOUT, Entry, Source, list_entries
from mri_tumor.data.splits import FRACTIONS, DataWarning, LeakWarning
from mri_tumor.errors import DataError, ParameterError
from mri_tumor.labels import (
    NEGATIVE,
    TASKS,
    map_names,
)

Progress = Callable[[int, int], None]


class StrictError(DataError):
    """What `strict` stops at, and what is a warning without it."""


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
    >>> from mri_tumor import make_phantoms
    >>> _ = make_phantoms(40, classes=("notumor", "tumor"), size=64, folder="scans")
    >>> data = load_dataset("scans")
    >>> data.classes, len(data.train), len(data.validation), len(data.test)
    (('notumor', 'tumor'), 28, 6, 6)
    """
    _check_arguments(source, split, fractions, radius, seed, n_threads)
    dataset = read_dataset(
        source,
        task=task,
        negative_class=negative_class,
        columns=columns,
        group_by=group_by,
        radius=radius,
        n_threads=n_threads,
        progress=progress,
    )
    if strict and dataset.problems:
        raise StrictError(_told(dataset))
    dataset = divide(dataset, split, fractions, seed)
    if dataset.problems:
        warnings.warn(_told(dataset), DataWarning, stacklevel=2)
    if leaks := dataset.leaks:
        message = (
            f"the split leaks: {leaks}. Results on it will look better than they are; "
            "split='new' (`--new-split`) splits by group."
        )
        if strict:
            raise StrictError(message)
        warnings.warn(message, LeakWarning, stacklevel=2)
    return dataset


def _check_arguments(  # noqa: PLR0917
    source: object,
    split: object,
    fractions: object,
    radius: object,
    seed: object,
    n_threads: object,
) -> None:
    """Refuse arguments that are none, each by its name."""
    whole = (int, np.integer)
    shares = list(fractions) if isinstance(fractions, (tuple, list, np.ndarray)) else []
    numbers = len(shares) == 3 and all(isinstance(one, (int, float, np.number)) for one in shares)
    checks = {
        "source": (
            not isinstance(source, str) or bool(source.strip()),
            source,
            "a folder, a table, or several",
        ),
        "split": (
            isinstance(split, (str, os.PathLike, type(None))),
            split,
            "'given', 'new', None or a file",
        ),
        "fractions": (numbers, fractions, "three numbers that sum to 1"),
        "radius": (isinstance(radius, whole) and 0 <= radius <= 32, radius, "0 to 32"),
        "seed": (isinstance(seed, whole) and seed >= 0, seed, "a whole number, 0 or more"),
        "n_threads": (
            n_threads is None or (isinstance(n_threads, whole) and n_threads >= 1),
            n_threads,
            "a whole number, 1 or more, or None",
        ),
    }
    for name, (good, value, wanted) in checks.items():
        if not good:
            raise ParameterError(f"{name}: must be {wanted}. Received: {value!r}")
    if shares[0] <= 0:
        raise ParameterError(f"fractions: the training part cannot be empty: {fractions}")


def _told(dataset: Dataset) -> str:
    n_files = len(dataset) + len(dataset.problems)
    return "\n".join(describe_problems(dataset.problems, n_files=n_files))


def read_dataset(
    source: Source | Sequence[Source] | Mapping[str, Source],
    *,
    task: str | None = None,
    negative_class: str | None = None,
    columns: Mapping[str, str] | None = None,
    group_by: GroupBy = "auto",
    radius: int = NEAR_RADIUS,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read a data set with the parts that its source names, whatever they are.

    Parameters
    ----------
    source, task, negative_class, columns, group_by, radius, n_threads, progress
        As in `load_dataset`.

    Returns
    -------
    Dataset
        Not divided any further, and not checked for classes or leaks.

    Raises
    ------
    DataError
        If no file can be used.
    ParameterError
        If an option is not one of those named.
    """
    if task not in {None, *TASKS}:
        raise ParameterError(f"task must be 'binary', 'four' or None. Received: {task!r}")
    if group_by not in GROUPINGS:
        raise ParameterError(f"group_by must be one of {GROUPINGS}. Received: {group_by!r}")
    own_names = negative_class not in {None, NEGATIVE}
    entries = list_entries(source, columns=columns, own_names=own_names)
    entries, mapping, problems = _name_classes(entries, negative_class)
    read = _read(entries, n_threads, progress)
    problems += read.problems
    if not read.entries:
        told = "\n".join(describe_problems(problems, n_files=len(problems)))
        raise DataError(f"no file could be used.\n{told}")
    return assemble(
        read,
        task=task,
        negative_class=negative_class or NEGATIVE,
        mapping=mapping,
        problems=problems,
        group_by=group_by,
        radius=radius,
    )


def _name_classes(
    entries: list[Entry], negative_class: str | None
) -> tuple[list[Entry], dict[str, str], list[Problem]]:
    """Translate the names of classes; files whose class is not known become problems."""
    names = map_names((e.name for e in entries if e.name), negative_class=negative_class)
    known = {name: label for name, label in names.items() if label}
    if not known:
        where = ", ".join(sorted({entry.source for entry in entries}))
        raise DataError(
            f"{where}: none of the class names is known: {', '.join(map(repr, names)) or 'none given'}. "
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


def _read(entries: list[Entry], n_threads: int | None, progress: Progress | None) -> ReadFiles:
    kept, prints, problems = [], [], []
    results = fingerprint_files([e.path for e in entries], n_threads=n_threads, progress=progress)
    for entry, result in zip(entries, results, strict=True):
        if isinstance(result, Fingerprint):
            kept.append(entry)
            prints.append(result)
        else:
            problems.append(Problem(entry.path, str(result)))
    coefficients = np.array([one.coefficients for one in prints]).reshape(-1, 16, 16)
    return ReadFiles(kept, prints, perceptual_hashes(coefficients), problems)
