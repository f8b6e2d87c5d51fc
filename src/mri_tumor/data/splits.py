"""Divide images into training, validation and test without tearing a group apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.groups import number_groups

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
#: Fractions of the recipe this project follows.
FRACTIONS = (0.7, 0.15, 0.15)
# Where groups hold several classes, the best way to deal them out may have no repair; chance helps.
_ATTEMPTS = 200

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]


class DataWarning(UserWarning):
    """Data that can be used, with something about it that one should know."""


class LeakWarning(DataWarning):
    """Copies of the same image lie on both sides of a split."""


def split_by_group(
    labels: Sequence[str],
    groups: ArrayLike,
    *,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
    strata: Sequence[object] | None = None,
    required: Sequence[str] | None = None,
) -> tuple[str, ...]:
    """Divide images so that each group stays whole and each class keeps its share.

    Groups are dealt out at random, large ones first, each to the part where it brings the
    class counts closest to the wanted ones. With many small groups the fractions come out
    nearly exact; with few large ones as close as whole groups allow.

    Parameters
    ----------
    labels : sequence of str, length n_images
        Class of each image.
    groups : array_like, shape (n_images,)
        Patient or near-duplicate group of each image; a group is never separated, and one that
        is missing (None, NaN) is a group of its own.
    fractions : tuple of float, default=(0.7, 0.15, 0.15)
        Share of training, validation and test, each in [0, 1], summing to 1. A part with
        share 0 stays empty.
    seed : int, default=0
        Which of the possible divisions; the same seed gives the same one.
    strata : sequence of hashable, optional
        What to keep in proportion, if not only the labels (label and source, say).
    required : sequence of str, optional
        Classes that every part must hold; all labels by default.

    Returns
    -------
    tuple of str
        ``"train"``, ``"validation"`` or ``"test"`` for each image.

    Raises
    ------
    ParameterError
        If the fractions are not three shares that sum to 1.
    DataError
        If a class has fewer groups than there are parts, or groups that hold several classes
        leave no division in which each part has them all.

    Examples
    --------
    >>> split_by_group(["a", "a", "b", "b"], [0, 1, 2, 3], fractions=(0.5, 0, 0.5))
    ('train', 'test', 'train', 'test')
    """
    parts = _check_fractions(fractions)
    numbers = number_groups(groups, len(labels), in_order=True)
    needed = sorted(set(labels) if required is None else set(required))
    _check_groups(labels, numbers, needed, [name for name, _ in parts])
    stratum = list(labels) if strata is None else [*zip(labels, strata, strict=True)]
    counts = _count_strata(stratum, numbers)
    classes = _count_strata([label if label in needed else None for label in labels], numbers)
    shares = np.array([share for _, share in parts])
    for attempt in range(_ATTEMPTS):
        if attempt == 0:
            place = _deal(counts, shares, seed)
        else:
            rng = np.random.default_rng([seed, attempt])
            place = rng.choice(len(parts), size=len(counts), p=shares / shares.sum()).tolist()
        if _repair(place, classes, len(parts)):
            return tuple(parts[place[number]][0] for number in numbers.tolist())
    raise DataError(
        f"no division into {', '.join(name for name, _ in parts)} was found in which each part "
        f"holds {', '.join(map(repr, needed))}: too many groups hold images of several classes. "
        "Add images, or ask for fewer parts."
    )


def _check_fractions(fractions: tuple[float, float, float]) -> list[tuple[str, float]]:
    values = tuple(float(value) for value in fractions)
    # NaN is not 0 or more either.
    if len(values) != 3 or not min(values) >= 0 or not abs(sum(values) - 1) <= 1e-6:
        raise ParameterError(
            "fractions must be the shares of training, validation and test and sum to 1. "
            f"Received: {fractions}"
        )
    return [(name, share) for name, share in zip(SPLITS, values, strict=True) if share > 0]


def _check_groups(
    labels: Sequence[str], numbers: NDArray[np.int64], needed: Sequence[str], parts: list[str]
) -> None:
    found = np.asarray(labels, dtype=object)
    for label in needed:
        members = numbers[found == label]
        n_groups = len(np.unique(members))
        if n_groups < len(parts):
            images = f"{len(members)} image{'' if len(members) == 1 else 's'}"
            raise DataError(
                f"class {label!r} has {images} in {n_groups} independent "
                f"group{'' if n_groups == 1 else 's'}, too few to be split into "
                f"{', '.join(parts)}. Copies of one image, or images of one patient, count as "
                "one group. Add images of that class."
            )


def _count_strata(strata: Sequence[object], numbers: NDArray[np.int64]) -> list[dict[int, int]]:
    """Count, for each group, how many of its images lie in each stratum; None is not counted."""
    index: dict[object, int] = {}
    counts: list[dict[int, int]] = [{} for _ in range(int(numbers.max(initial=-1)) + 1)]
    for stratum, number in zip(strata, numbers.tolist(), strict=True):
        if stratum is not None:
            key = index.setdefault(stratum, len(index))
            counts[number][key] = counts[number].get(key, 0) + 1
    return counts


def _deal(counts: list[dict[int, int]], shares: NDArray[np.float64], seed: int) -> list[int]:
    """Give each group to the part whose counts it brings closest to the wanted ones."""
    totals: dict[int, int] = {}
    for group in counts:
        for stratum, n in group.items():
            totals[stratum] = totals.get(stratum, 0) + n
    wanted = [{s: share * n for s, n in totals.items()} for share in shares.tolist()]
    missing = [dict(part) for part in wanted]
    shuffled = np.random.default_rng(seed).permutation(len(counts)).tolist()
    place = [0] * len(counts)
    for group in sorted(shuffled, key=lambda number: -sum(counts[number].values())):
        costs = [
            # Change of the squared distance from the wanted count, in units of that count.
            sum(n * (n - 2 * part[s]) / want[s] for s, n in counts[group].items())
            for part, want in zip(missing, wanted, strict=True)
        ]
        best = costs.index(min(costs))
        place[group] = best
        for stratum, n in counts[group].items():
            missing[best][stratum] -= n
    return place


def _repair(place: list[int], counts: list[dict[int, int]], n_parts: int) -> bool:
    """Move the smallest groups so that every part holds every class; say whether it does.

    A group is moved only where its part keeps all classes that it has.
    """
    for stratum in sorted({key for group in counts for key in group}):
        members = [number for number, group in enumerate(counts) if stratum in group]
        for part in range(n_parts):
            holders = [place[number] for number in members]
            if part in holders:
                continue
            spare = [number for number in members if _is_spare(number, place, counts)]
            if not spare:
                return False
            sources = {place[number] for number in spare}
            richest = max(sources, key=holders.count)
            movable = [number for number in spare if place[number] == richest]
            place[min(movable, key=lambda number: sum(counts[number].values()))] = part
    return True


def _is_spare(number: int, place: list[int], counts: list[dict[int, int]]) -> bool:
    """Say whether others of its part hold each class of a group."""
    others = [
        counts[other] for other, at in enumerate(place) if at == place[number] and other != number
    ]
    return all(any(stratum in other for other in others) for stratum in counts[number])


@dataclass(frozen=True)
class Leaks:
    """What a split tears apart.

    Attributes
    ----------
    groups : int
        Groups with images in more than one part.
    images : int
        Images of a later part (validation or test) whose group is also in an earlier one.
    pairs : dict of (str, str) to int
        For each two parts, images of the second with a relative in the first.

    Examples
    --------
    >>> found = check_split(["train", "test", "test"], [0, 0, 1])
    >>> found.images, bool(found)
    (1, True)
    """

    groups: int
    images: int
    pairs: dict[tuple[str, str], int]

    def __bool__(self) -> bool:
        return self.groups > 0

    def __str__(self) -> str:
        if not self:
            return "no group crosses the split"
        told = ", ".join(f"{n} of {b} in {a}" for (a, b), n in self.pairs.items() if n)
        return f"{self.groups} groups cross the split; images with a near-duplicate: {told}"


def check_split(splits: Sequence[str], groups: ArrayLike) -> Leaks:
    """Count the groups that a split tears apart.

    Parameters
    ----------
    splits : sequence of str, length n_images
        Part of each image; ``""`` is in none.
    groups : array_like, shape (n_images,)
        Group of each image.

    Returns
    -------
    Leaks
        False where no group crosses.

    Raises
    ------
    ParameterError
        If a part has another name, or there is not one group for each image.

    Examples
    --------
    >>> check_split(["train", "test", "test", "test"], [0, 0, 0, 1]).images
    2
    """
    part = np.asarray(splits, dtype=object)
    if unknown := sorted({str(name) for name in part} - {*SPLITS, ""}):
        raise ParameterError(f"splits: {unknown[0]!r} is none of {', '.join(SPLITS)} or ''")
    group = number_groups(groups, len(part))
    names = [name for name in SPLITS if (part == name).any()]
    members = {name: np.unique(group[part == name]) for name in names}
    pairs = {}
    leaked = np.zeros(len(part), dtype=bool)
    for second in range(1, len(names)):
        for first in range(second):
            hit = (part == names[second]) & np.isin(group, members[names[first]])
            pairs[names[first], names[second]] = int(hit.sum())
            leaked |= hit
    n_groups = len(np.unique(group[leaked]))
    return Leaks(n_groups, int(leaked.sum()), pairs)


def k_fold(
    labels: Sequence[str], groups: ArrayLike, *, n_folds: int = 5, seed: int = 0
) -> Iterator[Fold]:
    """Divide images into folds for cross-validation, each group whole.

    Parameters
    ----------
    labels : sequence of str, length n_images
        Class of each image.
    groups : array_like, shape (n_images,)
        Group of each image.
    n_folds : int, default=5
        Number of folds, at least 2.
    seed : int, default=0
        Seed of the shuffle.

    Yields
    ------
    tuple of ndarray of int64
        Indices to train on and to test on.

    Raises
    ------
    ParameterError
        If `n_folds` is below 2.
    DataError
        If a class has fewer groups than folds.

    Examples
    --------
    >>> labels, groups = ["tumor", "notumor"] * 4, [0, 1, 0, 1, 2, 3, 2, 3]
    >>> for train, test in k_fold(labels, groups, n_folds=2):
    ...     print(len(train), len(test))
    4 4
    4 4
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if n_folds < 2:
        raise ParameterError(f"n_folds must be at least 2. Received: {n_folds}")
    numbers = number_groups(groups, len(labels), in_order=True)
    names = [f"fold {fold + 1}" for fold in range(n_folds)]
    _check_groups(labels, numbers, sorted(set(labels)), names)
    folds = StratifiedGroupKFold(n_splits=n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(np.zeros(len(labels)), np.asarray(labels), numbers):
        yield np.asarray(train, dtype=np.int64), np.asarray(test, dtype=np.int64)


def leave_one_source_out(
    sources: Sequence[str], groups: ArrayLike
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Hold out each source in turn, with its relatives in other sources left out of training.

    Parameters
    ----------
    sources : sequence of str, length n_images
        Where each image comes from.
    groups : array_like, shape (n_images,)
        Group of each image. An image of another source that shares a group with the
        held-out source is in neither part.

    Yields
    ------
    tuple
        Name of the source, indices to train on, indices to test on.

    Raises
    ------
    DataError
        If there is only one source.

    Examples
    --------
    >>> sources, groups = ["here", "here", "there", "there"], [0, 1, 1, 2]
    >>> for name, train, test in leave_one_source_out(sources, groups):
    ...     print(name, train, test)
    here [3] [0 1]
    there [0] [2 3]
    """
    source = np.asarray(sources, dtype=object)
    group = number_groups(groups, len(source))
    names = sorted(set(sources))
    if len(names) < 2:
        raise DataError(
            f"leaving one source out needs at least two sources; found {', '.join(names)}. "
            "Load several folders at once, or give a 'source' column."
        )
    for name in names:
        held_out = source == name
        related = np.isin(group, np.unique(group[held_out]))
        yield name, np.flatnonzero(~related), np.flatnonzero(held_out)
