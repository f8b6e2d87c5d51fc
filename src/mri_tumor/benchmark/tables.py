"""The tables of a benchmark: plain columns for machines, Markdown for readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mri_tumor.answers.table_formats import plain_text, safe_cell
from mri_tumor.evaluation.render import MISSING, show_interval, show_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mri_tumor.benchmark.summary import Row, Spread

Table = list[list[str]]


def backbone_columns(rows: Sequence[Row], threads: Sequence[int]) -> list[dict[str, Any]]:
    """Return a row of plain values for each backbone; None where there is no value.

    Parameters
    ----------
    rows : sequence of Row
        From `summarise`.
    threads : sequence of int
        Threads that were timed.

    Returns
    -------
    list of dict
        Shares in [0, 1], seconds, milliseconds and bytes, as the names say.
    """
    found = []
    for row in rows:
        line: dict[str, Any] = {
            "backbone": row.backbone,
            "started_from": row.started_from,
            "seeds": len(row.finished),
            "failed": len(row.cells) - len(row.finished),
            **_spread("accuracy", row.accuracy),
            **_ends("accuracy", row.interval),
            **_spread("macro_f1", row.macro_f1),
            **_spread("auc", row.auc),
            "difference": row.difference,
            **_ends("difference", row.difference_interval),
            "mcnemar_p": "; ".join(f"{p:.3g}" for p in _p_values(row)) or None,
            "parameters": row.fact("parameters"),
            "multiply_adds": row.fact("multiply_adds"),
            "runtime_file_bytes": row.fact("runtime_bytes"),
            "training_s": row.training_seconds.mean if row.training_seconds else None,
        }
        for count in threads:
            for name, figure in (
                (f"latency_ms_{count}", "latency_ms"),
                (f"images_per_s_{count}", "images_per_second"),
            ):
                ends = getattr(row.speed, figure).get(count) if row.speed else None
                line[name] = None if ends is None else ends[0]
        line["peak_memory_bytes"] = row.speed.peak_memory_bytes if row.speed else None
        line["pareto_front"] = row.on_front
        line["problem"] = "; ".join(row.problems) or None
        found.append(line)
    return found


def cell_columns(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a row of plain values for each backbone and seed; as `backbone_columns`."""
    found = []
    for row in rows:
        for cell in row.cells:
            line: dict[str, Any] = {
                "backbone": cell.backbone,
                "started_from": cell.started_from,
                "seed": cell.seed,
            }
            report = cell.report
            for name in ("accuracy", "macro_f1", "auc"):
                value, ends = None, None
                if report is not None:
                    both = (report.figures, report.intervals)
                    value, ends = (
                        one["macro"]["f1"] if name == "macro_f1" else one[name] for one in both
                    )
                line[name] = value
                line.update(_ends(name, ends))
            comparison = row.comparisons.get(cell.seed)
            accuracy = comparison.figures["accuracy"] if comparison else None
            test = comparison.right if comparison else None
            line["difference"] = accuracy.difference if accuracy else None
            line.update(_ends("difference", accuracy.interval if accuracy else None))
            line["only_first_right"] = test.only_first if test else None
            line["only_this_right"] = test.only_second if test else None
            line["mcnemar_p"] = test.p_exact if test else None
            line["epochs"] = cell.n_epochs or None
            line["training_s"] = cell.training_seconds
            line["problem"] = cell.problem or cell.export_problem or None
            found.append(line)
    return found


def to_csv(frame: pd.DataFrame) -> bytes:
    """Write a table as CSV that no spreadsheet takes for formulas.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.

    Returns
    -------
    bytes
        UTF-8, with a header and without an index.
    """
    safe = frame.map(lambda one: safe_cell(plain_text(one)) if isinstance(one, str) else one)
    return bytes(safe.to_csv(index=False).encode("utf-8"))


def accuracy_table(rows: Sequence[Row]) -> Table:
    """Return what the backbones know, header first."""
    table = [
        [
            "backbone", "started from", "seeds", "accuracy", "95% interval", "macro F1", "AUC",
            "minus first (95% interval)", "McNemar p, by seed", "front",
        ]
    ]  # fmt: skip
    for row in rows:
        gap = MISSING
        if row.difference is not None:
            gap = f"{row.difference:+.3f}"
            if row.difference_interval:
                gap += " ({:+.3f} to {:+.3f})".format(*row.difference_interval)
        table.append(
            [
                row.backbone,
                row.started_from,
                f"{len(row.finished)} of {len(row.cells)}",
                _with_sd(row.accuracy),
                show_interval(row.interval) or MISSING,
                _with_sd(row.macro_f1),
                _with_sd(row.auc),
                gap,
                ", ".join(f"{p:.2g}" for p in _p_values(row)) or MISSING,
                "yes" if row.on_front else "",
            ]
        )
    return table


def cost_table(rows: Sequence[Row], threads: Sequence[int]) -> Table:
    """Return what the backbones cost, header first."""
    counts = " / ".join(map(str, threads))
    table = [
        [
            "backbone", "parameters, M", "multiply-adds, M", "file, MB", "training, min",
            f"one image, ms at {counts} threads", f"batches of 32, images/s at {counts}",
            "peak memory, MB",
        ]
    ]  # fmt: skip
    for row in rows:
        speed = row.speed
        latency = [speed.latency_ms.get(n) if speed else None for n in threads]
        throughput = [speed.images_per_second.get(n) if speed else None for n in threads]
        minutes = row.training_seconds.mean / 60 if row.training_seconds else None
        table.append(
            [
                row.backbone,
                _scaled(row.fact("parameters"), 1e6),
                _scaled(row.fact("multiply_adds"), 1e6),
                _scaled(row.fact("runtime_bytes"), 1e6),
                _scaled(minutes, 1),
                " / ".join(_scaled(ends and ends[0], 1) for ends in latency),
                " / ".join(_scaled(ends and ends[0], 1) for ends in throughput),
                _scaled(speed.peak_memory_bytes if speed else None, 1e6),
            ]
        )
    return table


def seed_table(rows: Sequence[Row]) -> Table:
    """Return every cell, header first."""
    table = [["backbone", "seed", "accuracy", "macro F1", "AUC", "minus first", "epochs"]]
    for line in cell_columns(rows):
        gap = MISSING
        if line["difference"] is not None:
            gap = f"{line['difference']:+.3f}"
            if line["difference_low"] is not None:
                gap += f" ({line['difference_low']:+.3f} to {line['difference_high']:+.3f})"
        figures = []
        for name in ("accuracy", "macro_f1", "auc"):
            low, high = line[f"{name}_low"], line[f"{name}_high"]
            ends = "" if low is None else f" ({show_interval((low, high))})"
            figures.append(show_number(line[name]) + ends)
        epochs = str(line["epochs"] or MISSING)
        table.append([line["backbone"], str(line["seed"]), *figures, gap, epochs])
    return table


def to_markdown(table: Table) -> str:
    """Lay a table out in Markdown, its columns aligned for reading as plain text too.

    Parameters
    ----------
    table : list of list of str
        Header first.

    Returns
    -------
    str
        Lines without one at the end; what a cell holds cannot end it.
    """
    cells = [[escape(cell) for cell in line] for line in table]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *lines[1:]])


def escape(text: str) -> str:
    """Return a text that stays within one cell, or one line, of Markdown."""
    shown = " ".join(plain_text(text).split())
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;")


def _spread(name: str, spread: Spread | None) -> dict[str, float | None]:
    return {
        name: spread.mean if spread else None,
        f"{name}_sd": spread.sd if spread else None,
    }


def _ends(name: str, ends: Sequence[float] | None) -> dict[str, float | None]:
    low, high = (None, None) if ends is None else ends
    return {f"{name}_low": low, f"{name}_high": high}


def _with_sd(spread: Spread | None) -> str:
    if spread is None:
        return MISSING
    return show_number(spread.mean) + ("" if spread.sd is None else f" ± {spread.sd:.3f}")


def _p_values(row: Row) -> list[float]:
    return [row.comparisons[seed].right.p_exact for seed in sorted(row.comparisons)]


def _scaled(value: float | None, unit: float) -> str:
    """Show a size with about three digits."""
    if value is None:
        return MISSING
    shown = value / unit
    return f"{shown:,.0f}" if shown >= 100 else f"{shown:.1f}" if shown >= 10 else f"{shown:.2f}"
