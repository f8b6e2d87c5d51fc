"""The result of a benchmark: tables, text and picture."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.assessment import NOTICE
from mri_tumor.benchmark import tables
from mri_tumor.benchmark.drawing import plot_accuracy_latency
from mri_tumor.files import write_whole

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes

    from mri_tumor.benchmark.summary import Row, Spread


@dataclass(frozen=True, kw_only=True, eq=False)
class BenchmarkResult:
    """Backbones trained alike on one split, and what each knows and costs.

    Parameters
    ----------
    rows : tuple of Row
        One for each backbone, in the order asked for; the others are compared with the first.
    settings : mapping
        What all trainings shared.
    data : mapping
        Images and groups of each part, classes, and what leaks.
    machine : mapping
        What was timed on; empty if nothing was.
    threads : tuple of int
        Numbers of threads that were timed. The first decides the Pareto front.
    """

    rows: tuple[Row, ...]
    settings: Mapping[str, Any] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    machine: Mapping[str, Any] = field(repr=False)
    threads: tuple[int, ...]

    def __str__(self) -> str:
        return self.to_markdown()

    @property
    def n_failed(self) -> int:
        """Cells that failed."""
        return sum(len(row.cells) - len(row.finished) for row in self.rows)

    def to_frame(self) -> pd.DataFrame:
        """Give a row for each backbone.

        Returns
        -------
        pandas.DataFrame
            Means over seeds and standard deviations (``_sd``), ends of 95% intervals (``_low``,
            ``_high``), costs with their units in the names; see `backbone_columns`.
        """
        import pandas as pd

        return pd.DataFrame(tables.backbone_columns(self.rows, self.threads))

    def cells_frame(self) -> pd.DataFrame:
        """Give a row for each backbone and seed.

        Returns
        -------
        pandas.DataFrame
            Figures with 95% intervals, and the paired comparison with the first backbone.
        """
        import pandas as pd

        return pd.DataFrame(tables.cell_columns(self.rows))

    def to_markdown(self) -> str:
        """Lay the benchmark out as Markdown, which reads as text too."""
        parts = [
            *(tables.escape(line) + "  " for line in self._heading()),
            "",
            "What they know:",
            "",
            tables.to_markdown(tables.accuracy_table(self.rows)),
            "",
            "What they cost:",
            "",
            tables.to_markdown(tables.cost_table(self.rows, self.threads)),
            "",
            "Seed by seed, with 95% intervals:",
            "",
            tables.to_markdown(tables.seed_table(self.rows)),
            "",
            *(f"- {tables.escape(line)}" for line in self._notes()),
        ]
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Turn the benchmark into what JSON can hold."""
        lines = tables.backbone_columns(self.rows, self.threads)
        for line, row in zip(lines, self.rows, strict=True):
            line["mcnemar_p"] = {
                str(seed): one.right.p_exact for seed, one in row.comparisons.items()
            }
            for name in ("accuracy", "macro_f1", "auc", "training_seconds"):
                line[f"{name}_range"] = _range(getattr(row, name))
            line["cells"] = [cell.to_dict() for cell in row.cells]
            line["minus_first"] = {
                str(seed): one.to_dict() for seed, one in row.comparisons.items()
            }
        return {
            "notice": NOTICE,
            "settings": dict(self.settings),
            "data": dict(self.data),
            "machine": dict(self.machine),
            "threads": list(self.threads),
            "backbones": lines,
        }

    def plot(self, *, threads: int | None = None, ax: Axes | None = None) -> Axes:
        """Draw accuracy against latency; see `plot_accuracy_latency`.

        Parameters
        ----------
        threads : int, optional
            Threads of the latency; the first that was timed by default.
        ax : matplotlib Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        matplotlib Axes
            The axes.
        """
        return plot_accuracy_latency(self.rows, threads=threads or self.threads[0], ax=ax)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tables and the picture.

        Parameters
        ----------
        folder : str or path
            An existing folder: ``benchmark.csv``, ``cells.csv``, ``benchmark.md``,
            ``benchmark.json`` and ``accuracy-latency.png`` are replaced there.
        """
        import io

        buffer = io.BytesIO()
        # The note below the axes lies outside of what the layout knows.
        figure: Any = self.plot().figure
        figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"
        contents = {
            "benchmark.csv": tables.to_csv(self.to_frame()),
            "cells.csv": tables.to_csv(self.cells_frame()),
            "benchmark.md": (self.to_markdown() + "\n").encode(),
            "benchmark.json": text.encode(),
            "accuracy-latency.png": buffer.getvalue(),
        }
        for name, content in contents.items():
            write_whole(Path(folder) / name, lambda file, content=content: file.write(content))  # type: ignore[misc]

    def _heading(self) -> list[str]:
        data = self.data
        told = ", ".join(
            f"{data['images'][part]:,} {part} images ({data['groups'][part]:,} groups)"
            for part in ("train", "validation", "test")
        )
        lines = [
            NOTICE,
            f"One split by group for all: {told}; classes: {', '.join(data['classes'])}.",
        ]
        if data["leaks"]:
            lines.append(f"The split leaks: {data['leaks']}. The figures flatter.")
        return lines

    def _notes(self) -> list[str]:
        first = self.rows[0]
        plural = "thread" if self.threads[0] == 1 else "threads"
        milliseconds = f"milliseconds ({self.threads[0]} {plural})"
        notes = [
            "Accuracy, macro F1 and AUC: mean ± standard deviation over seeds.",
            "Intervals: bootstrap over groups of test images, drawn alike for all seeds.",
            f"Minus first: accuracy minus that of {first.backbone} on the same images and seeds.",
            "McNemar's test takes images as independent; where groups are large, believe the "
            + "interval.",
            "Front: no other backbone from ImageNet weights is as accurate in as few "
            + f"{milliseconds}. Backbones that started otherwise cannot be on it.",
            "One multiply-add is two floating-point operations.",
            "File, speed and memory: LiteRT, weights stored as float16, no TensorFlow; memory is "
            + "that of a process that loads the model and answers one file.",
        ]
        if self.machine:
            load = self.machine.get("load_average_before")
            notes.append(
                f"Timed on {self.machine['processor']}, {self.machine['processors']} processors, "
                f"all backbones in turn (load average before: {load})."
            )
        if any(cell.finished and cell.training_seconds is None for row in self.rows
               for cell in row.cells):  # fmt: skip
            notes.append("Trainings that were stopped in between have no training time.")
        if seen := self.data.get("seen_by_brain_mri"):
            notes.append(f"The weights brain-mri know the test images: {seen}")
        notes += [f"{row.backbone}: {text}" for row in self.rows for text in row.problems]
        return notes


def _range(spread: Spread | None) -> list[float] | None:
    return None if spread is None else [spread.least, spread.most]
