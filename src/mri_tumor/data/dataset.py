"""The data set: files with their labels, groups, sources and parts of the split."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.data.duplicates import connected_groups, links_of
from mri_tumor.data.problems import Problem, describe_problems
from mri_tumor.data.splits import (
    FRACTIONS,
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Leaks,
    check_split,
    split_by_group,
)
from mri_tumor.errors import ParameterError
from mri_tumor.labels import NEGATIVE, UNKNOWN_TUMOR, explain_names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Record:
    """One image of a `Dataset`.

    Examples
    --------
    >>> from mri_tumor import load_dataset, make_phantoms
    >>> _ = make_phantoms(8, folder="scans", size=64)
    >>> record = next(iter(load_dataset("scans", split=None)))
    >>> record.label, record.source, record.patient
    ('glioma', 'scans', None)
    """

    path: str
    label: str
    group: int
    source: str
    split: str
    patient: str | None


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images on disk with what is known about each; `load_dataset` makes it.

    Attributes
    ----------
    paths, labels, sources : tuple of str, length n_images
        File, class and origin of each image. With the task ``"four"``, the label ``"tumor"``
        means a tumor of unknown subtype.
    groups : ndarray of int64, shape (n_images,)
        Images with the same number belong together and must not be separated by a split.
    duplicates : ndarray of int64, shape (n_images,)
        Groups of near-duplicates alone; `groups` may also join patients, or nothing.
    splits : tuple of str, length n_images
        ``"train"``, ``"validation"``, ``"test"`` or ``""`` (in none).
    patients : tuple of (str or None), length n_images
        Patient of each image, where known.
    content_hashes, file_hashes : tuple of str, length n_images
        SHA-256 of the decoded grey pixels and of the file, as 64 hex digits.
    perceptual_hashes : ndarray of uint8, shape (n_images, 8, 32)
        As `mri_tumor.data.perceptual_hashes` gives them.
    sizes : ndarray of int64, shape (n_images, 2)
        Height and width in pixels.
    classes : tuple of str
        What a model of these labels tells apart.
    task : {"binary", "four", "custom"}
        Two classes, the four of this field, or others.
    negative_class : str
        The class that means *no tumor*.
    problems : tuple of Problem
        Files that were left out.
    label_mapping : dict of str to str
        Class that each folder name or label of the source was read as.

    Examples
    --------
    >>> from mri_tumor import load_dataset, make_phantoms
    >>> _ = make_phantoms(40, classes=("notumor", "tumor"), size=64, folder="scans")
    >>> data = load_dataset("scans")
    >>> len(data), data.task, data.negative_class
    (40, 'binary', 'notumor')
    >>> len(data.train.paths) == len(data.train.labels) == len(data.train.groups)
    True
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    groups: NDArray[np.int64] = field(repr=False)
    duplicates: NDArray[np.int64] = field(repr=False)
    sources: tuple[str, ...]
    splits: tuple[str, ...]
    patients: tuple[str | None, ...]
    content_hashes: tuple[str, ...]
    file_hashes: tuple[str, ...]
    perceptual_hashes: NDArray[np.uint8] = field(repr=False)
    sizes: NDArray[np.int64] = field(repr=False)
    classes: tuple[str, ...]
    task: str
    negative_class: str = NEGATIVE
    problems: tuple[Problem, ...] = ()
    label_mapping: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Record]:
        columns = (self.paths, self.labels, self.groups.tolist(), self.sources, self.splits)
        return (Record(*row) for row in zip(*columns, self.patients, strict=True))

    def __repr__(self) -> str:
        return f"Dataset({len(self)} images, {self.task}: {', '.join(self.classes)})"

    def __str__(self) -> str:
        return self.summary()

    @property
    def train(self) -> "Dataset":
        """The images to learn from."""
        return self._part(TRAIN)

    @property
    def validation(self) -> "Dataset":
        """The images to stop, calibrate and choose thresholds on."""
        return self._part(VALIDATION)

    @property
    def test(self) -> "Dataset":
        """The images to report results on."""
        return self._part(TEST)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the sorted content hashes: the same images, in any order and place."""
        return hashlib.sha256("\n".join(sorted(self.content_hashes)).encode()).hexdigest()

    @property
    def leaks(self) -> Leaks:
        """What the split tears apart: near-duplicates, and groups of any kind."""
        ends = zip(links_of(self.groups.tolist()), links_of(self.duplicates.tolist()), strict=True)
        joined = connected_groups(len(self), *(np.concatenate(pair) for pair in ends))
        return check_split(self.splits, joined)

    def _part(self, name: str) -> "Dataset":
        return self.subset([i for i, split in enumerate(self.splits) if split == name])

    def subset(self, indices: ArrayLike | Iterable[int]) -> "Dataset":
        """Choose images by index or by a mask.

        Parameters
        ----------
        indices : array_like of int or of bool
            Indices of the images, in the order wanted, or one truth value per image.

        Returns
        -------
        Dataset
            With the same classes, task and group numbers; problems are not carried over.

        Raises
        ------
        ParameterError
            If an index is out of range or no whole number, or a mask has the wrong length.
        """
        chosen = np.asarray(list(indices) if isinstance(indices, Iterator) else indices)
        if chosen.dtype == object:  # as tables keep what has, or had, a missing value
            chosen = np.asarray(chosen.tolist())
        if chosen.size and chosen.dtype.kind not in "biu":
            raise ParameterError(
                "indices: must be whole numbers, or one truth value for each image. Received: "
                f"{chosen.dtype}"
            )
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise ParameterError(f"mask: {chosen.shape} does not fit {len(self)} images")
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64).reshape(-1)
        if chosen.size and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise ParameterError(f"indices: out of range for {len(self)} images")
        rows = chosen.tolist()
        return replace(
            self,
            paths=tuple(self.paths[i] for i in rows),
            labels=tuple(self.labels[i] for i in rows),
            groups=self.groups[chosen],
            duplicates=self.duplicates[chosen],
            sources=tuple(self.sources[i] for i in rows),
            splits=tuple(self.splits[i] for i in rows),
            patients=tuple(self.patients[i] for i in rows),
            content_hashes=tuple(self.content_hashes[i] for i in rows),
            file_hashes=tuple(self.file_hashes[i] for i in rows),
            perceptual_hashes=self.perceptual_hashes[chosen],
            sizes=self.sizes[chosen],
            problems=(),
        )

    def with_splits(self, splits: Sequence[str]) -> "Dataset":
        """Give each image its part of a split.

        Parameters
        ----------
        splits : sequence of str, length n_images
            ``"train"``, ``"validation"``, ``"test"`` or ``""``.

        Returns
        -------
        Dataset
            The same images.

        Raises
        ------
        ParameterError
            If the length is wrong or a name is another.
        """
        if len(splits) != len(self):
            raise ParameterError(f"splits: {len(splits)} values for {len(self)} images")
        unknown = sorted(set(splits) - {*SPLITS, ""})
        if unknown:
            raise ParameterError(f"splits: {unknown[0]!r} is none of {', '.join(SPLITS)} or ''")
        return replace(self, splits=tuple(splits))

    def split(
        self, fractions: tuple[float, float, float] = FRACTIONS, *, seed: int = 0
    ) -> "Dataset":
        """Split anew by group, in proportion to classes and sources.

        Parameters
        ----------
        fractions : tuple of float, default=(0.7, 0.15, 0.15)
            Shares of training, validation and test.
        seed : int, default=0
            Which of the possible divisions.

        Returns
        -------
        Dataset
            The same images with new `splits`.

        Raises
        ------
        ParameterError
            If the fractions do not sum to 1.
        DataError
            If a class has fewer groups than there are parts.
        """
        return self.with_splits(
            split_by_group(
                self.labels,
                self.groups,
                fractions=fractions,
                seed=seed,
                strata=self.sources,
                required=[c for c in self.classes if c in self.labels],
            )
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the images of each class in each part.

        Returns
        -------
        dict of str to (dict of str to int)
            ``counts["train"]["glioma"]``; images in no part are under ``""``.
        """
        found = Counter(zip(self.splits, self.labels, strict=True))
        labels = [*self.classes, *sorted(set(self.labels) - set(self.classes))]
        parts = [part for part in (*SPLITS, "") if part in self.splits]
        return {part: {label: found[part, label] for label in labels} for part in parts}

    def summary(self) -> str:
        """Describe the data as text: counts, groups, sources, names, problems."""
        counts = self.counts()
        labels = list(next(iter(counts.values()), {}))
        shown = [self._shown(label) for label in labels]
        width = max([len("validation"), *map(len, shown)]) + 2
        lines = [" " * 12 + "".join(name.rjust(width) for name in [*shown, "all"])]
        no_part = "in none" if len(counts) > 1 else "all"
        for part, row in counts.items():
            values = [*row.values(), sum(row.values())]
            lines.append((part or no_part).ljust(12) + "".join(f"{v:>{width},}" for v in values))
        n_groups = len(np.unique(self.groups))
        lines.append(f"{len(self):,} images in {n_groups:,} independent groups; task: {self.task}")
        if len(set(self.sources)) > 1:
            told = [f"{name} {n:,}" for name, n in sorted(Counter(self.sources).items())]
            lines.append(f"sources: {', '.join(told)}")
        if names := explain_names(self.label_mapping):
            lines.append(f"names read as: {names}")
        if leaks := self.leaks:
            lines.append(f"leak: {leaks}")
        lines.extend(describe_problems(self.problems, n_files=len(self) + len(self.problems)))
        return "\n".join(lines)

    def _shown(self, label: str) -> str:
        unknown = label == UNKNOWN_TUMOR and label not in self.classes
        return "tumor (subtype unknown)" if unknown else label

    def to_frame(self) -> "pd.DataFrame":
        """Give the images as a table that `load_dataset` reads back.

        Returns
        -------
        pandas.DataFrame
            Columns path, label, group, source, split, patient, content_hash.
        """
        import pandas as pd

        # Text that is no UTF-8, as a file's name may be, is none of the types that pandas infers.
        text = {
            "path": self.paths,
            "label": self.labels,
            "source": self.sources,
            "split": self.splits,
            "patient": self.patients,
            "content_hash": self.content_hashes,
        }
        columns = {name: pd.Series(values, dtype=object) for name, values in text.items()}
        columns["group"] = pd.Series(self.groups)
        order = ["path", "label", "group", "source", "split", "patient", "content_hash"]
        return pd.DataFrame(columns)[order]
