"""Measure how much a leaky split flatters a recipe."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from mri_tumor.assessment import NOTICE
from mri_tumor.data.splits import TEST, TRAIN, VALIDATION, LeakWarning, k_fold, split_by_group
from mri_tumor.errors import DataError
from mri_tumor.evaluation import compare_predictions, evaluate_predictions
from mri_tumor.evaluation.render import show_interval, show_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.data import Dataset
    from mri_tumor.evaluation import Comparison, Difference, EvaluationReport

_TEST_SHARE = 0.15
_VALIDATION_SHARE = 0.15
_LINE = "  {:<24}{:<21}{:<21}{:<26}{}"


@dataclass(frozen=True, kw_only=True)
class LeakMeasurement:
    """The same recipe, measured on the same images after a leaky and after a clean split.

    Parameters
    ----------
    leaky, clean : EvaluationReport
        The figures on all test images.
    difference : Comparison
        Leaky minus clean, pair by pair.
    twins : Comparison or None
        The same on the test images that had a relative in the leaky training alone; None if
        there are none.
    n_twins : int
        Those images.
    n_folds : int
        How many test parts there were.
    n_training : int
        Images that each model learned from and was validated on, on average: the same number
        of each class on both sides.
    """

    leaky: EvaluationReport
    clean: EvaluationReport
    difference: Comparison
    twins: Comparison | None
    n_twins: int
    n_folds: int
    n_training: float

    def __str__(self) -> str:
        header, rows = self.table()
        lines = [_LINE.format(*row).rstrip() for row in (header, *rows)]
        first, *rest = self.tests()
        return "\n".join([*self.headings(), "", *lines, f"  {first}", *rest])

    def headings(self) -> list[str]:
        """Say what was trained and tested, line by line."""
        n = self.leaky.n_images
        parts = "part" if self.n_folds == 1 else "parts"
        return [
            (
                f"The same recipe on the same {n:,} test images in {self.leaky.n_groups:,} groups "
                f"({self.n_folds} test {parts}), trained on {self.n_training:,.0f} images twice:"
            ),
            "  clean: no relative (near-duplicate, or same patient) of a test image in training",
            f"  leaky: images dealt out one by one, so {self.n_twins:,} test images had one",
            f"  {NOTICE}",
        ]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return the table that is printed: its header, and its rows as text."""
        rows = [self._cells(name) for name in self.difference.figures]
        return ("figure", "clean", "leaky", "leaky minus clean", "coverage"), rows

    def tests(self) -> list[str]:
        """Say what McNemar's test found, and what images with a relative show alone."""
        test = self.difference.right
        lines = [
            (
                f"McNemar, class: only clean right {test.only_first}, only leaky right "
                f"{test.only_second}, p = {test.p_exact:.3g}"
            )
        ]
        if self.twins is None:
            return [*lines, "No test image had a relative: nothing could leak."]
        row = self.twins.figures["accuracy"]
        told = (
            f"On the {self.n_twins:,} images with a relative alone, accuracy: clean "
            f"{show_number(row.first)}, leaky {show_number(row.second)}, difference {_gap(row)}"
        )
        return [*lines, told]

    def _cells(self, name: str) -> tuple[str, ...]:
        """Lay one figure out: both with their intervals, and the difference with its own."""
        tumor = name.startswith("tumor_")
        key = name.removeprefix("tumor_")
        cells = []
        for report in (self.clean, self.leaky):
            figures, ends = (
                (report.figures["tumor"], report.intervals["tumor"])
                if tumor
                else (report.figures, report.intervals)
            )
            interval = show_interval(ends[key])
            cells.append(show_number(figures[key]) + (f" ({interval})" if interval else ""))
        gap = _gap(self.difference.figures[name])
        coverage = "{}, {}".format(*map(show_number, self.difference.coverage))
        return (name.replace("_", " "), *cells, gap, coverage)

    def to_dict(self) -> dict[str, Any]:
        """Turn the measurement into what JSON can hold."""
        return {
            "notice": NOTICE,
            "n_test": self.leaky.n_images,
            "n_twins": self.n_twins,
            "n_folds": self.n_folds,
            "n_training": self.n_training,
            "leaky": self.leaky.to_dict(),
            "clean": self.clean.to_dict(),
            "leaky_minus_clean": self.difference.to_dict(),
            "leaky_minus_clean_on_twins": None if self.twins is None else self.twins.to_dict(),
        }


def _gap(row: Difference) -> str:
    if row.difference is None:
        return "n/a"
    ends = "" if row.interval is None else " ({:+.3f} to {:+.3f})".format(*row.interval)
    return f"{row.difference:+.3f}{ends}"


def measure_leak(
    classifier: TumorClassifier,
    dataset: Dataset,
    *,
    n_folds: int = 1,
    n_bootstrap: int = 1000,
    seed: int = 0,
    say: Callable[[str], Any] = lambda _text: None,
) -> LeakMeasurement:
    """Train a recipe after a random split and after a split by group, and compare the two.

    The test images are the same, drawn one by one as in a random split. The leaky model learns
    from a random choice of the others; the clean one from those that share no group with a test
    image. Both learn from as many images of each class, so that the difference is that of the
    leak alone, and the comparison is pair by pair.

    Parameters
    ----------
    classifier : TumorClassifier
        The recipe; it is cloned, not changed.
    dataset : Dataset
        All images, whatever their parts; its groups say what is related.
    n_folds : int, default=1
        With 1, 15% of the images are tested on. With more, every image is, once, at the cost
        of two trainings for each fold.
    n_bootstrap : int, default=1000
        Resamples for the intervals, over groups.
    seed : int, default=0
        Seed of the splits.
    say : callable, optional
        Told each step, in words.

    Returns
    -------
    LeakMeasurement
        Both figures and their difference.

    Raises
    ------
    DataError
        If a class has too few groups.
    ParameterError
        If `n_folds` is below 1.
    """
    rows: dict[str, list[NDArray[np.float64]]] = {"clean": [], "leaky": []}
    tests: list[NDArray[np.intp]] = []
    twins: list[NDArray[np.bool_]] = []
    n_training = 0
    model = classifier
    for fold, test in enumerate(_test_parts(dataset, n_folds, seed)):
        pools = training_pools(dataset, test, seed=seed + fold)
        tests.append(test)
        twins.append(np.isin(dataset.groups[test], dataset.groups[pools["leaky"]]))
        n_training += len(pools["clean"])
        for name, pool in pools.items():
            say(f"{name}, test part {fold + 1} of {n_folds}: training on {len(pool):,} images")
            model = _train(classifier, dataset.subset(pool), by_group=name == "clean", seed=seed)
            rows[name].append(model.predict_proba(dataset.subset(test)))
    tested = dataset.subset(np.concatenate(tests))
    found = {name: np.concatenate(parts) for name, parts in rows.items()}
    common: dict[str, Any] = {
        "classes": [str(name) for name in model.classes_],
        "negative_class": model.negative_class_,
        "n_bootstrap": n_bootstrap,
        "seed": seed,
    }
    reports = {
        name: evaluate_predictions(
            tested.labels,
            probabilities,
            threshold=classifier.threshold,
            groups=tested.groups,
            files=tested.paths,
            **common,
        )
        for name, probabilities in found.items()
    }

    def compare(kept: NDArray[np.bool_]) -> Comparison:
        return compare_predictions(
            [label for label, keep in zip(tested.labels, kept, strict=True) if keep],
            found["clean"][kept],
            found["leaky"][kept],
            thresholds=(classifier.threshold, classifier.threshold),
            groups=tested.groups[kept],
            **common,
        )

    related = np.concatenate(twins)
    return LeakMeasurement(
        leaky=reports["leaky"],
        clean=reports["clean"],
        difference=compare(np.ones(len(tested), dtype=bool)),
        twins=compare(related) if related.any() else None,
        n_twins=int(related.sum()),
        n_folds=n_folds,
        n_training=n_training / n_folds,
    )


def training_pools(
    dataset: Dataset, test: NDArray[np.intp], *, seed: int = 0
) -> dict[str, NDArray[np.intp]]:
    """Choose what a clean and a leaky model may learn from.

    Parameters
    ----------
    dataset : Dataset
        All images.
    test : ndarray of int
        Those that both are tested on.
    seed : int, default=0
        Seed of the leaky choice.

    Returns
    -------
    dict of str to ndarray of int
        ``"clean"``: all others that share no group with a test image. ``"leaky"``: as many of
        each class, drawn from all others.
    """
    rest = np.setdiff1d(np.arange(len(dataset)), test)
    related = np.isin(dataset.groups[rest], dataset.groups[test])
    names = np.array(dataset.labels)[rest]
    rng = np.random.default_rng(seed)
    leaky = [
        rng.choice(rest[names == name], int((~related & (names == name)).sum()), replace=False)
        for name in sorted(set(dataset.labels))
    ]
    return {"clean": rest[~related], "leaky": np.sort(np.concatenate(leaky))}


def _test_parts(dataset: Dataset, n_folds: int, seed: int) -> Iterator[NDArray[np.intp]]:
    alone = np.arange(len(dataset))
    if n_folds == 1:
        parts = split_by_group(
            dataset.labels,
            alone,
            fractions=(1 - _TEST_SHARE, 0.0, _TEST_SHARE),
            seed=seed,
            required=dataset.classes,
        )
        yield _where(parts, TEST)
        return
    for _, test in k_fold(dataset.labels, alone, n_folds=n_folds, seed=seed):
        yield test


def _where(parts: Sequence[str], name: str) -> NDArray[np.intp]:
    return np.flatnonzero(np.array(parts) == name)


def _train(
    classifier: TumorClassifier, pool: Dataset, *, by_group: bool, seed: int
) -> TumorClassifier:
    """Train a copy of the recipe; what chooses the epoch leaks as the rest does, or not."""
    share = _VALIDATION_SHARE / (1 - _TEST_SHARE)
    groups = pool.groups if by_group else np.arange(len(pool))
    try:
        parts = split_by_group(
            pool.labels,
            groups,
            fractions=(1 - share, share, 0.0),
            seed=seed,
            strata=pool.sources,
            required=pool.classes,
        )
    except DataError as error:
        raise DataError(f"too few images are left to train on: {error}") from error
    model: TumorClassifier = clone(classifier)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakWarning)  # it is what is measured here
        model.fit(
            pool.subset(_where(parts, TRAIN)),
            validation_data=pool.subset(_where(parts, VALIDATION)),
        )
    return model
