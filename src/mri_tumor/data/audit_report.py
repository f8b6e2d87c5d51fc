"""What an audit found, as an object that prints, plots and writes JSON."""

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.data import audit_text
from mri_tumor.data.dataset import Dataset
from mri_tumor.data.duplicates import NEAR_RADIUS
from mri_tumor.data.shortcuts import Shortcut
from mri_tumor.data.splitfiles import write_split
from mri_tumor.data.splits import FRACTIONS, Leaks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images that are copies of each other.

    Attributes
    ----------
    first, second : int
        Indices into the data set.
    distance : int
        Bits of 256 in which their hashes differ.
    exact : bool
        The decoded pixels are identical.
    conflict : bool
        The labels contradict each other.
    leak : bool
        They lie in different parts of the given split.

    Examples
    --------
    >>> from mri_tumor import audit_dataset, make_phantoms
    >>> import shutil
    >>> made = make_phantoms(4, folder="scans", size=64)
    >>> _ = shutil.copy(made.paths[0], made.paths[0].with_name("again.png"))
    >>> (pair,) = audit_dataset("scans", max_images=0).pairs
    >>> pair.exact, pair.distance, pair.conflict
    (True, 0, False)
    """

    first: int
    second: int
    distance: int
    exact: bool
    conflict: bool
    leak: bool


@dataclass(frozen=True, eq=False)
class AuditReport:
    """What `audit_dataset` found.

    Attributes
    ----------
    dataset : Dataset
        The images, with the parts that the source names.
    exact_groups, near_groups : tuple of (tuple of int)
        Indices of the images of each group of two or more; near includes exact. The largest
        groups come first.
    conflicts : tuple of (tuple of int)
        Those groups of `near_groups` whose labels contradict each other: tumor and no tumor,
        or two subtypes. A tumor of unknown subtype contradicts no subtype.
    pairs : tuple of Pair
        The links that make the groups, the worst first: contradictions, then leaks, then
        identical pixels, then by distance.
    leaks : Leaks
        What the split that the source names tears apart.
    shortcuts : tuple of Shortcut
        What tells the label though it should not; empty where it could not be checked.
    radius : int
        Bits of 256 that near-duplicates may differ in.
    notes : tuple of str
        What was not checked, and why.

    Examples
    --------
    >>> from mri_tumor import audit_dataset, make_phantoms
    >>> _ = make_phantoms(8, folder="scans", size=64)
    >>> report = audit_dataset("scans", max_images=0)
    >>> report.figures["n_images"], report.figures["leaks"], report.notes
    (8, 0, ('the shortcut check was left out',))
    """

    dataset: Dataset
    exact_groups: tuple[tuple[int, ...], ...]
    near_groups: tuple[tuple[int, ...], ...]
    conflicts: tuple[tuple[int, ...], ...]
    pairs: tuple[Pair, ...] = field(repr=False)
    leaks: Leaks
    shortcuts: tuple[Shortcut, ...]
    radius: int = NEAR_RADIUS
    notes: tuple[str, ...] = ()

    @cached_property
    def figures(self) -> dict[str, int]:
        """The counts: images, groups, copies, contradictions and leaks."""
        return {
            "n_images": len(self.dataset),
            "n_groups": len(np.unique(self.dataset.duplicates)),
            "exact_duplicate_groups": len(self.exact_groups),
            "exact_duplicate_images": sum(map(len, self.exact_groups)),
            "near_duplicate_groups": len(self.near_groups),
            "near_duplicate_images": sum(map(len, self.near_groups)),
            "largest_group": max(map(len, self.near_groups), default=1),
            "label_conflicts": len(self.conflicts),
            "leaks": self.leaks.images,
            "leaking_groups": self.leaks.groups,
            "problems": len(self.dataset.problems),
        }

    def __str__(self) -> str:
        return audit_text.as_text(self)

    def to_dict(self, *, n_pairs: int = 200) -> dict[str, Any]:
        """Give the report as plain values for JSON.

        Parameters
        ----------
        n_pairs : int, default=200
            How many of the worst pairs to list.

        Returns
        -------
        dict
            The figures and, under ``classes``, ``sources``, ``sizes``,
            ``shortcuts``, ``conflicts``, ``pairs``, ``leaks_between`` and ``problem_files``,
            the details.
        """
        return audit_text.as_plain(self, n_pairs=n_pairs)

    def to_json(self, *, n_pairs: int = 200, indent: int | None = 2) -> str:
        """Write the report as JSON text; see `to_dict`."""
        return json.dumps(self.to_dict(n_pairs=n_pairs), indent=indent, allow_nan=False)

    def plot_pairs(self, n: int = 8) -> "Figure":
        """Draw the worst pairs side by side.

        Parameters
        ----------
        n : int, default=8
            Most pairs to draw, one of each group.

        Returns
        -------
        matplotlib.figure.Figure
            Not shown and not saved.

        Raises
        ------
        DataError
            If there are no pairs.
        """
        from mri_tumor.data.pictures import plot_pairs

        return plot_pairs(self.dataset, self.worst_pairs(n))

    def worst_pairs(self, n: int = 8) -> list[Pair]:
        """Choose the worst pair of each group.

        Parameters
        ----------
        n : int, default=8
            Most pairs to give.

        Returns
        -------
        list of Pair
            From different groups, worst first.
        """
        seen: dict[int, Pair] = {}
        for pair in self.pairs:
            seen.setdefault(int(self.dataset.duplicates[pair.first]), pair)
        return list(seen.values())[:n]

    def split(
        self, *, fractions: tuple[float, float, float] = FRACTIONS, seed: int = 0
    ) -> Dataset:
        """Divide the images so that no group is torn apart.

        Parameters
        ----------
        fractions : tuple of float, default=(0.7, 0.15, 0.15)
            Shares of training, validation and test.
        seed : int, default=0
            Which of the possible divisions.

        Returns
        -------
        Dataset
            The images with new parts; the given ones are not kept.

        Raises
        ------
        DataError
            If a class has too few groups.
        """
        return self.dataset.split(fractions, seed=seed)

    def write_split(
        self,
        path: str | os.PathLike[str],
        *,
        fractions: tuple[float, float, float] = FRACTIONS,
        seed: int = 0,
    ) -> None:
        """Write a split without leaks, for ``load_dataset(..., split=path)``.

        Parameters
        ----------
        path : path-like
            JSON file to write.
        fractions, seed
            As in `split`.

        Raises
        ------
        DataError
            If a class has too few groups, or the file cannot be written.
        """
        write_split(path, self.split(fractions=fractions, seed=seed))
