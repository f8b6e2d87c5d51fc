"""Make a data set of what was read: groups, task and classes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mri_tumor.data.dataset import Dataset
from mri_tumor.data.duplicates import connected_groups, group_duplicates, links_of
from mri_tumor.data.hashing import Fingerprint
from mri_tumor.data.problems import Problem
from mri_tumor.data.sources import Entry
from mri_tumor.errors import DataError
from mri_tumor.labels import FOUR, NEGATIVE, UNKNOWN_TUMOR, infer_classes, infer_task, to_task

GroupBy = Literal["auto", "near-duplicates", "patient", "file"]
GROUPINGS = ("auto", "near-duplicates", "patient", "file")


@dataclass(frozen=True)
class ReadFiles:
    """Files that could be read, aligned, and the problems of the others."""

    entries: list[Entry]
    prints: list[Fingerprint]
    hashes: NDArray[np.uint8]
    problems: list[Problem]


def _group(read: ReadFiles, group_by: str, alike: NDArray[np.int64]) -> NDArray[np.int64]:
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


def assemble(
    read: ReadFiles,
    *,
    task: str | None,
    negative_class: str,
    mapping: dict[str, str],
    problems: list[Problem],
    group_by: str,
    radius: int,
) -> Dataset:
    """Make a data set of files that could be read.

    Parameters
    ----------
    read : ReadFiles
        The files, with canonical class names.
    task, negative_class, group_by, radius
        As in `load_dataset`.
    mapping : dict of str to str
        Class that each name of the source was read as.
    problems : list of Problem
        Files that were left out.

    Returns
    -------
    Dataset
        With the parts that the source names.

    Raises
    ------
    DataError
        If the task does not fit the classes, or patients are asked for and not known.
    """
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
