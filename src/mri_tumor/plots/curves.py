"""ROC, precision-recall and reliability curves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mri_tumor.plots.style import GREY, LINES, MARKERS, PALETTE, finish, new_axes, pick, show_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
_NEAR_PERFECT = 0.97  # area from which on a curve hugs the corner


class CurveLike(Protocol):
    """A curve with a band, as `mri_tumor.evaluation.roc_curve` gives."""

    @property
    def x(self) -> Floats: ...  # noqa: D102
    @property
    def y(self) -> Floats: ...  # noqa: D102
    @property
    def grid(self) -> Floats: ...  # noqa: D102
    @property
    def low(self) -> Floats: ...  # noqa: D102
    @property
    def high(self) -> Floats: ...  # noqa: D102
    @property
    def area(self) -> float: ...  # noqa: D102
    @property
    def area_interval(self) -> tuple[float, float] | None: ...  # noqa: D102
    @property
    def n_positive(self) -> int: ...  # noqa: D102
    @property
    def n_negative(self) -> int: ...  # noqa: D102


class ReliabilityLike(Protocol):
    """A reliability curve, as `mri_tumor.evaluation.reliability_curve` gives."""

    @property
    def predicted(self) -> Floats: ...  # noqa: D102
    @property
    def observed(self) -> Floats: ...  # noqa: D102
    @property
    def low(self) -> Floats: ...  # noqa: D102
    @property
    def high(self) -> Floats: ...  # noqa: D102
    @property
    def counts(self) -> NDArray[np.intp]: ...  # noqa: D102
    @property
    def expected_calibration_error(self) -> float: ...  # noqa: D102


def plot_roc(
    curves: Mapping[str, CurveLike],
    *,
    point: tuple[float, float] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw ROC curves with their bands.

    Parameters
    ----------
    curves : mapping of str to Curve
        What each curve is of, such as "tumor or not".
    point : tuple of float, optional
        False positive rate and sensitivity at the threshold in use.
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes.

    Examples
    --------
    >>> from mri_tumor.evaluation import roc_curve
    >>> curve = roc_curve([True, True, False, False], [0.9, 0.4, 0.5, 0.1])
    >>> ax = plot_roc({"tumor or not": curve})
    >>> ax.figure.savefig("curve.png")
    """
    ax = new_axes(ax)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (2, 3)), label="chance")
    _draw_curves(ax, curves, area="AUC")
    if point is not None:
        ax.plot(
            *point,
            marker="o",
            markersize=9,
            markerfacecolor="none",
            markeredgewidth=1.8,
            color="black",
            linestyle="none",
            label="threshold in use",
            clip_on=False,
            zorder=5,
        )
    ax.set(xlabel="False positive rate (1 - specificity)", ylabel="Sensitivity")
    if min((curve.area for curve in curves.values()), default=0) > _NEAR_PERFECT:
        _zoom(ax, curves, point)
    return _finish_square(ax, "lower right")


def plot_precision_recall(curves: Mapping[str, CurveLike], *, ax: "Axes | None" = None) -> "Axes":
    """Draw precision-recall curves with their bands.

    Parameters
    ----------
    curves : mapping of str to Curve
        What each curve is of, such as "tumor or not".
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes. A dotted line shows the precision of calling everything, which is the share
        of positive images in these data.

    Examples
    --------
    >>> from mri_tumor.evaluation import precision_recall_curve
    >>> curve = precision_recall_curve([True, True, False, False], [0.9, 0.4, 0.5, 0.1])
    >>> ax = plot_precision_recall({"tumor or not": curve})
    >>> ax.figure.savefig("curve.png")
    """
    ax = new_axes(ax)
    _draw_curves(ax, curves, area="AP", start=1)
    for index, curve in enumerate(curves.values()):
        share = curve.n_positive / (curve.n_positive + curve.n_negative)
        ax.axhline(share, color=pick(PALETTE, index), linewidth=0.8, linestyle=(0, (1, 3)))
    ax.set(xlabel="Recall (sensitivity)", ylabel="Precision (PPV) in these data")
    return _finish_square(ax, "lower left")


def plot_reliability(curves: Mapping[str, ReliabilityLike], *, ax: "Axes | None" = None) -> "Axes":
    """Draw how often something was true over how likely it was said to be.

    Parameters
    ----------
    curves : mapping of str to ReliabilityCurve
        Such as "before" and "after" the temperature.
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes. Points are bins, their area grows with the number of images, and bars are
        their intervals; on the diagonal, probabilities mean what they say.

    Examples
    --------
    >>> from mri_tumor.evaluation import reliability_curve
    >>> curve = reliability_curve([True, True, False, False], [0.9, 0.4, 0.5, 0.1])
    >>> ax = plot_reliability({"tumor or not": curve})
    >>> ax.figure.savefig("curve.png")
    """
    ax = new_axes(ax)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=(0, (2, 3)), label="ideal")
    for index, (name, curve) in enumerate(curves.items()):
        full = curve.counts > 0
        x, y = curve.predicted[full], curve.observed[full]
        color = pick(PALETTE, index)
        ends = [np.maximum(0, y - curve.low[full]), np.maximum(0, curve.high[full] - y)]
        ax.errorbar(x, y, yerr=ends, fmt="none", ecolor=color, elinewidth=1, alpha=0.7)
        total = int(curve.counts.sum())
        ax.plot(x, y, color=color, linestyle=pick(LINES, index), linewidth=1.2)
        ax.scatter(
            x,
            y,
            s=14 + 160 * curve.counts[full] / total,
            color=color,
            marker=pick(MARKERS, index),
            alpha=0.85,
            edgecolor="white",
            linewidth=0.5,
            zorder=3,
            label=f"{name}: ECE {curve.expected_calibration_error:.3f}, {total:,} images",
        )
    ax.set(xlabel="Predicted probability (mean of bin)", ylabel="Share that was true")
    ax = _finish_square(ax, "lower right")
    # Good curves lie along the diagonal and poor ones anywhere: no corner is free for certain.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize="small", frameon=False)
    for handle in getattr(ax.get_legend(), "legend_handles", []):
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([40])
    return ax


def _zoom(ax: "Axes", curves: Mapping[str, CurveLike], point: tuple[float, float] | None) -> None:
    """Show the corner in which good curves lie, which is too small to read otherwise."""
    inset = ax.inset_axes((0.36, 0.42, 0.55, 0.46))
    _draw_curves(inset, curves, area="AUC")
    if point is not None:
        inset.plot(*point, marker="o", markersize=9, markerfacecolor="none", color="black")
    inset.set(xlim=(-0.002, 0.1), ylim=(0.9, 1.002))
    inset.set_title("upper left corner", fontsize="x-small", pad=2)
    inset.tick_params(labelsize="x-small")
    finish(inset)


def _draw_curves(
    ax: "Axes", curves: Mapping[str, CurveLike], *, area: str, start: int = 0
) -> None:
    for index, (name, curve) in enumerate(curves.items()):
        color = pick(PALETTE, index)
        ends = ""
        if curve.area_interval is not None:
            ends = " ({}-{})".format(*map(show_share, curve.area_interval))
            ax.fill_between(
                curve.grid, curve.low, curve.high, color=color, alpha=0.15, linewidth=0
            )
        ax.plot(
            curve.x[start:],
            curve.y[start:],
            color=color,
            linestyle=pick(LINES, index),
            linewidth=1.6,
            label=f"{name}: {area} {show_share(curve.area)}{ends}, "
            f"{curve.n_positive:,} of {curve.n_positive + curve.n_negative:,}",
        )


def _finish_square(ax: "Axes", legend: Literal["lower right", "lower left"]) -> "Axes":
    finish(ax)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    ax.legend(loc=legend, fontsize="small", frameon=True, framealpha=0.9)
    return ax
