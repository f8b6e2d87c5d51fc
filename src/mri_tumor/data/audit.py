"""Audit a data set: copies, contradictions, leaks, and labels that shortcuts give away."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mri_tumor.data.assembling import GroupBy
from mri_tumor.data.audit_report import AuditReport, Pair
from mri_tumor.data.dataset import Dataset
from mri_tumor.data.duplicates import NEAR_RADIUS, connected_groups, duplicate_links, links_of
from mri_tumor.data.loading import Progress, read_dataset
from mri_tumor.data.shortcuts import Shortcut, check_shortcuts
from mri_tumor.data.sources import Source
from mri_tumor.errors import DataError


def audit_dataset(
    source: Dataset | Source | Sequence[Source] | Mapping[str, Source],
    *,
    task: str | None = None,
    negative_class: str | None = None,
    columns: Mapping[str, str] | None = None,
    group_by: GroupBy = "auto",
    radius: int = NEAR_RADIUS,
    max_images: int = 3000,
    seed: int = 0,
    n_threads: int | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Look for copies, contradicting labels, leaks and shortcuts in a data set.

    Nothing is changed, and no finding is an error: also a folder with one class, or a split
    that leaks, gets its report.

    Parameters
    ----------
    source : Dataset, or anything that `load_dataset` reads
        What to audit. Of a `Dataset` the parts it has are audited.
    task, negative_class, columns, group_by, radius, n_threads, progress
        As in `load_dataset`; all but the last three are ignored for a `Dataset`.
    max_images : int, default=3000
        Images to look at in the shortcut check, which samples them; 0 leaves it out.
    seed : int, default=0
        Seed of that check.

    Returns
    -------
    AuditReport
        Prints as a table.

    Raises
    ------
    DataError
        If the source is missing or no file in it can be used.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> _ = make_phantoms(40, classes=("notumor", "tumor"), size=64, folder="scans")
    >>> report = audit_dataset("scans")
    >>> "40 images" in str(report)
    True
    """
    if isinstance(source, Dataset):
        dataset = source
    else:
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
    links = duplicate_links(dataset.content_hashes, dataset.perceptual_hashes, radius=radius)
    near = connected_groups(len(dataset), links.first, links.second)
    dataset = replace(dataset, duplicates=near)
    exact = connected_groups(len(dataset), *links_of(dataset.content_hashes))
    near_groups = _members(near)
    shortcuts, notes = _shortcuts(dataset, max_images, seed, n_threads)
    return AuditReport(
        dataset=dataset,
        exact_groups=_members(exact),
        near_groups=near_groups,
        conflicts=tuple(
            group
            for group in near_groups
            if _contradict([dataset.labels[i] for i in group], dataset)
        ),
        pairs=_rank(links.first, links.second, links.distance, dataset),
        leaks=dataset.leaks,
        shortcuts=shortcuts,
        radius=radius,
        notes=notes,
    )


def _members(groups: NDArray[np.int64]) -> tuple[tuple[int, ...], ...]:
    """List the images of each group of two or more, largest group first."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    members = [tuple(part.tolist()) for part in np.split(order, starts[1:]) if len(part) > 1]
    return tuple(sorted(members, key=lambda part: (-len(part), part)))


def _contradict(labels: Sequence[str], dataset: Dataset) -> bool:
    """Tell whether labels cannot all be true of one image."""
    found = set(labels)
    unknown = found - set(dataset.classes)  # a tumor of unknown subtype
    return len(found - unknown) > 1 or bool(unknown and dataset.negative_class in found)


def _rank(
    first: NDArray[np.int64], second: NDArray[np.int64], distance: NDArray[np.int64], data: Dataset
) -> tuple[Pair, ...]:
    pairs = []
    for a, b, bits in zip(first.tolist(), second.tolist(), distance.tolist(), strict=True):
        exact = data.content_hashes[a] == data.content_hashes[b]
        conflict = _contradict([data.labels[a], data.labels[b]], data)
        parts = {data.splits[a], data.splits[b]}
        pairs.append(Pair(a, b, bits, exact, conflict, len(parts) > 1 and "" not in parts))
    pairs.sort(key=lambda p: (not p.conflict, not p.leak, not p.exact, p.distance))
    return tuple(pairs)


def _shortcuts(
    dataset: Dataset, max_images: int, seed: int, n_threads: int | None
) -> tuple[tuple[Shortcut, ...], tuple[str, ...]]:
    if max_images == 0:
        return (), ("the shortcut check was left out",)
    try:
        found = check_shortcuts(dataset, max_images=max_images, seed=seed, n_threads=n_threads)
    except DataError as error:
        return (), (str(error),)
    n_seen = found[0].n_images
    sampled = f"the shortcut check looked at {n_seen:,} of {len(dataset):,} images"
    return found, (sampled,) if n_seen < len(dataset) else ()
