"""The picture of a benchmark: accuracy against latency."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from mri_tumor.assessment import NOTICE
from mri_tumor.benchmark.plan import IMAGENET
from mri_tumor.plots.style import GREY, MARKERS, PALETTE, finish, new_axes, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from mri_tumor.benchmark.summary import Row

# Beyond this ratio of the slowest to the quickest, a linear axis crowds the quick ones.
_LOGARITHMIC_FROM = 8


def plot_accuracy_latency(
    rows: Sequence[Row], *, threads: int = 1, ax: Axes | None = None
) -> Axes:
    """Draw the accuracy of each backbone against the latency of one image.

    Parameters
    ----------
    rows : sequence of Row
        From `BenchmarkResult.rows`; those without accuracy or latency are left out.
    threads : int, default=1
        Threads of the latency.
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes. Hollow markers did not start from ImageNet weights, and are not on the front.
    """
    ax = new_axes(ax, width=7.0, height=5.4)
    drawn: list[tuple[float, float, Row]] = []
    for index, row in enumerate(rows):
        ends = row.speed.latency_ms.get(threads) if row.speed else None
        if row.accuracy is None or ends is None:
            continue
        x, low, high = ends
        y = 100 * row.accuracy.mean
        drawn.append((x, y, row))
        below, above = (100 * end for end in row.interval or (row.accuracy.mean,) * 2)
        colour = pick(PALETTE, index)
        hollow = row.started_from != IMAGENET
        ax.errorbar(
            x,
            y,
            xerr=[[max(0.0, x - low)], [max(0.0, high - x)]],
            # A bootstrap interval need not hold the figure itself.
            yerr=[[max(0.0, y - below)], [max(0.0, above - y)]],
            fmt=pick(MARKERS, index + index // len(MARKERS)),
            color=colour,
            markerfacecolor="white" if hollow else colour,
            markersize=9,
            elinewidth=1.2,
            capsize=3,
            zorder=3,
            label=f"{row.backbone} ({row.started_from})",
        )
        each = [cell.report.accuracy for cell in row.finished if cell.report is not None]
        seeds = [100 * value for value in each if value is not None]
        ax.plot([x] * len(seeds), seeds, "_", color=colour, markersize=14, alpha=0.7, zorder=2)
    front = sorted((x, y) for x, y, row in drawn if row.on_front)
    if front:
        ax.plot(
            *zip(*front, strict=True),
            drawstyle="steps-post",
            color=GREY,
            linestyle=(0, (4, 2)),
            linewidth=1.2,
            zorder=1,
            label="Pareto front (ImageNet weights)",
        )
    _dress(ax, [x for x, _, _ in drawn], threads)
    return ax


def _dress(ax: Axes, latencies: Sequence[float], threads: int) -> None:
    if latencies and max(latencies) > _LOGARITHMIC_FROM * min(latencies):
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("{x:g}")
    finish(ax)
    plural = "thread" if threads == 1 else "threads"
    ax.set(xlabel=f"Latency of one image, ms ({threads} {plural})", ylabel="Accuracy, %")
    ax.set_title(NOTICE, fontsize="small", color=GREY)
    if latencies:
        ax.legend(fontsize="small", loc="best")
    else:
        ax.text(0.5, 0.5, "No backbone was finished and timed.", ha="center", va="center",
                transform=ax.transAxes)  # fmt: skip
    about = (
        "Marker: mean over seeds; short dashes: the seeds. Bars: 95% interval over groups of test "
        "images; slowest and quickest round of timing. Hollow: not from ImageNet weights."
    )
    ax.annotate(
        "\n".join(textwrap.wrap(about, 88)), (0, 0), xycoords="axes fraction", xytext=(0, -40),
        textcoords="offset points", fontsize="x-small", color=GREY, va="top",
    )  # fmt: skip
