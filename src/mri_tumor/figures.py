"""The pictures that a training leaves behind, as PNG bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from mri_tumor.evaluation import EvaluationReport

_DPI = 120


def new_figure(n_axes: int = 1, *, width: float = 5.0, height: float = 4.0) -> tuple[Figure, Any]:
    """Make a figure that pyplot does not know, so that it is freed with its last reference.

    Parameters
    ----------
    n_axes : int, default=1
        Axes side by side.
    width, height : float
        Inches for each of them.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : ndarray of matplotlib.axes.Axes, shape (n_axes,)
        Its axes.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * n_axes, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, n_axes, squeeze=False)[0]


def as_png(figure: Figure) -> bytes:
    """Render a figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def training_figures(
    history: Mapping[str, Sequence[Any]], report: EvaluationReport, *, temperature: float = 1.0
) -> dict[str, bytes]:
    """Draw what a training and its evaluation showed.

    Parameters
    ----------
    history : mapping
        As in `TumorClassifier.history_`.
    report : EvaluationReport
        The evaluation of the test part.
    temperature : float, default=1.0
        What its probabilities were calibrated by.

    Returns
    -------
    dict of str to bytes
        PNG files by their place in the bundle.
    """
    from mri_tumor.evaluation.rule_check import reliability_before_and_after
    from mri_tumor.plots import plot_confusion_matrix, plot_history, plot_reliability

    figures = {}
    figure, axes = new_figure(2)
    plot_history(history, metric="accuracy", ax=axes[0])
    plot_history(history, metric="loss", ax=axes[1])
    figures["figures/history.png"] = as_png(figure)
    figure, axes = new_figure(width=6.0, height=5.0)
    plot_confusion_matrix(
        report.confusion_matrix, report.classes, refused=report.refused_by_class, ax=axes[0]
    )
    figures["figures/confusion.png"] = as_png(figure)
    if report.images is None:
        return figures
    figure, axes = new_figure(2, height=5.0)
    report.plot_roc(ax=axes[0])
    report.plot_precision_recall(ax=axes[1])
    figures["figures/curves.png"] = as_png(figure)
    if curves := reliability_before_and_after(report, temperature=temperature):
        figure, axes = new_figure(height=5.0)
        plot_reliability(curves, ax=axes[0])
        figures["figures/reliability.png"] = as_png(figure)
    return figures
