"""From cells to one row for each backbone: means, spreads, paired differences, Pareto front."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.benchmark.plan import IMAGENET
from mri_tumor.benchmark.speed import Speed, read_speed, speed_key
from mri_tumor.evaluation import Comparison, compare_predictions, evaluate_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mri_tumor.benchmark.records import CellResult
    from mri_tumor.data import Dataset


@dataclass(frozen=True)
class Spread:
    """A figure over seeds.

    Parameters
    ----------
    mean : float
        Their mean.
    sd : float or None
        Standard deviation of a sample (n - 1); None for one seed.
    least, most : float
        Its ends.
    """

    mean: float
    sd: float | None
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """Return the spread of the values that there are, None if there are none.

        Examples
        --------
        >>> spread = Spread.of([0.5, 1.0, None])
        >>> spread.mean, round(spread.sd, 4)
        (0.75, 0.3536)
        """
        known = [float(value) for value in values if value is not None]
        if not known:
            return None
        sd = statistics.stdev(known) if len(known) > 1 else None
        return cls(statistics.fmean(known), sd, min(known), max(known))


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One backbone.

    Parameters
    ----------
    backbone, started_from : str
        As in `CellResult`.
    cells : tuple of CellResult
        Its cells, failed ones included.
    comparisons : mapping of int to Comparison
        This minus the first backbone for each seed that both finished, by seed.
    accuracy, macro_f1, auc, training_seconds : Spread or None
        Over seeds.
    interval : tuple of float or None
        95% interval of the mean accuracy, by bootstrap over groups of test images; the groups
        drawn are the same for all seeds.
    difference : float or None
        Mean accuracy minus that of the first backbone, over the seeds that both finished.
    difference_interval : tuple of float or None
        95% interval around it, drawn likewise.
    speed : Speed or None
        What answering takes.
    on_front : bool
        Whether no backbone that started from ImageNet weights is both as quick and as accurate.
    """

    backbone: str
    started_from: str
    cells: tuple[CellResult, ...] = field(repr=False)
    comparisons: Mapping[int, Comparison] = field(default_factory=dict, repr=False)
    accuracy: Spread | None
    macro_f1: Spread | None
    auc: Spread | None
    training_seconds: Spread | None
    interval: tuple[float, float] | None
    difference: float | None = None
    difference_interval: tuple[float, float] | None = None
    speed: Speed | None
    on_front: bool = False

    @property
    def finished(self) -> list[CellResult]:
        """The cells that have figures."""
        return [cell for cell in self.cells if cell.finished]

    @property
    def problems(self) -> list[str]:
        """What went wrong, each once."""
        texts = [cell.problem or cell.export_problem for cell in self.cells]
        texts.append(self.speed.problem if self.speed else "")
        return list(dict.fromkeys(text for text in texts if text))

    def fact(self, name: str) -> Any:
        """Return what is the same for all seeds, such as ``"parameters"``; None if unknown."""
        values = (getattr(cell, name) for cell in self.finished)
        return next((value for value in values if value is not None), None)

    def latency_ms(self, threads: int) -> float | None:
        """Return the median latency of one image in milliseconds."""
        ends = self.speed.latency_ms.get(threads) if self.speed else None
        return None if ends is None else ends[0]


def pareto_front(costs: Sequence[float | None], gains: Sequence[float | None]) -> list[bool]:
    """Tell which points nothing beats: no other costs as little and gains as much.

    Parameters
    ----------
    costs : sequence of float or None
        Less is better, such as milliseconds.
    gains : sequence of float or None, of the same length
        More is better, such as accuracy. A point without either is never on the front.

    Returns
    -------
    list of bool
        One for each point; of points that are equal in both, all are on the front or none.

    Examples
    --------
    >>> pareto_front([1.0, 2.0, 3.0, 2.0], [0.5, 0.9, 0.8, None])
    [True, True, False, False]
    """
    points = list(zip(costs, gains, strict=True))
    known = [(cost, gain) for cost, gain in points if cost is not None and gain is not None]
    return [
        cost is not None
        and gain is not None
        and not any(
            one <= cost and other >= gain and (one, other) != (cost, gain) for one, other in known
        )
        for cost, gain in points
    ]


def summarise(
    results: Sequence[CellResult],
    speed: Mapping[str, Any],
    data: Dataset,
    *,
    threads: int,
    n_bootstrap: int,
) -> tuple[Row, ...]:
    """Make a row for each backbone, in the order given.

    Parameters
    ----------
    results : sequence of CellResult
        All cells; those of the first backbone are what the others are compared with.
    speed : mapping
        From `measure_speeds`.
    data : Dataset
        With the test part that all answered.
    threads : int
        Threads of the latency that decides the Pareto front.
    n_bootstrap : int
        Resamples for intervals.

    Returns
    -------
    tuple of Row
        The rows.
    """
    by_backbone: dict[str, list[CellResult]] = {}
    for one in results:
        by_backbone.setdefault(one.backbone, []).append(one)
    first = next(iter(by_backbone.values()))
    rows = []
    for cells in by_backbone.values():
        entry = speed.get("backbones", {}).get(speed_key(cells[0]))
        row = _row(cells, read_speed(entry), data, n_bootstrap)
        rows.append(row if cells is first else _compared(row, first, data, n_bootstrap))
    enter = [row.started_from == IMAGENET for row in rows]
    front = pareto_front(
        [row.latency_ms(threads) if may else None for row, may in zip(rows, enter, strict=True)],
        [row.accuracy.mean if row.accuracy else None for row in rows],
    )
    return tuple(replace(row, on_front=on) for row, on in zip(rows, front, strict=True))


def _row(cells: list[CellResult], speed: Speed | None, data: Dataset, n_bootstrap: int) -> Row:
    done = [cell for cell in cells if cell.finished]
    reports = [cell.report for cell in done if cell.report is not None]
    interval = None
    if done:
        whole = evaluate_predictions(
            **_stacked(done, data), **_rule(done[0]), n_bootstrap=n_bootstrap,
            probabilities=np.concatenate([cell.probabilities for cell in done]),
        )  # fmt: skip
        interval = whole.intervals["accuracy"]
    return Row(
        backbone=cells[0].backbone,
        started_from=cells[0].started_from,
        cells=tuple(cells),
        accuracy=Spread.of([report.accuracy for report in reports]),
        macro_f1=Spread.of([report.macro["f1"] for report in reports]),
        auc=Spread.of([report.auc for report in reports]),
        training_seconds=Spread.of([cell.training_seconds for cell in done]),
        interval=interval,
        speed=speed,
    )


def _compared(row: Row, first: list[CellResult], data: Dataset, n_bootstrap: int) -> Row:
    """Add the paired comparisons with the first backbone, seed by seed and over seeds."""
    base = {cell.seed: cell for cell in first if cell.finished}
    pairs = [(base[cell.seed], cell) for cell in row.finished if cell.seed in base]
    if not pairs:
        return row

    def compare(chosen: list[tuple[CellResult, CellResult]]) -> Comparison:
        rule = _rule(chosen[0][0])
        threshold = rule.pop("threshold")
        return compare_predictions(
            **_stacked([one for _, one in chosen], data), **rule, n_bootstrap=n_bootstrap,
            first=np.concatenate([one.probabilities for one, _ in chosen]),
            second=np.concatenate([one.probabilities for _, one in chosen]),
            thresholds=(threshold, threshold),
        )  # fmt: skip

    comparisons = {pair[1].seed: compare([pair]) for pair in pairs}
    # All seeds at once: groups are drawn with the answers of every seed, so that the same images
    # answered three times do not count as three.
    whole = comparisons[pairs[0][1].seed] if len(pairs) == 1 else compare(pairs)
    accuracy = whole.figures["accuracy"]
    return replace(
        row,
        comparisons=comparisons,
        difference=accuracy.difference,
        difference_interval=accuracy.interval,
    )


def _rule(cell: CellResult) -> dict[str, Any]:
    """Return how the answers of a cell are read, the same for all."""
    assert cell.report is not None  # noqa: S101  # only finished cells come here
    return {
        "classes": cell.report.classes,
        "negative_class": cell.report.negative_class,
        "threshold": cell.report.threshold,
    }


def _stacked(cells: Sequence[CellResult], data: Dataset) -> dict[str, Any]:
    """Return labels and groups of the test part, once for every cell."""
    test = data.test
    return {
        "labels": list(test.labels) * len(cells),
        "groups": np.tile(test.groups, len(cells)),
    }
