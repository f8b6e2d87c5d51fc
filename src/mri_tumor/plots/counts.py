"""Confusion matrix, class balance and the spread of P(tumor)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mri_tumor.errors import ParameterError
from mri_tumor.plots.style import GREY, HATCHES, PALETTE, finish, new_axes, pick

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_confusion_matrix(
    matrix: ArrayLike,
    classes: Sequence[str],
    *,
    refused: Sequence[int] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw a confusion matrix with counts and shares of each true class.

    Parameters
    ----------
    matrix : array_like of int, shape (n_classes, n_classes)
        Images: true classes in rows, called classes in columns.
    classes : sequence of str, length n_classes
        Names of the classes.
    refused : sequence of int, length n_classes, optional
        Images of each class without an answer, drawn as a last column when there are any.
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes.

    Raises
    ------
    ParameterError
        If the matrix does not fit the classes.

    Examples
    --------
    >>> ax = plot_confusion_matrix([[9, 1], [2, 8]], ["notumor", "tumor"])
    >>> ax.figure.savefig("matrix.png")
    """
    counts = np.asarray(matrix)
    names = list(classes)
    if counts.shape != (len(names), len(names)):
        msg = f"matrix must have shape {(len(names),) * 2}; received {counts.shape}"
        raise ParameterError(msg)
    columns = names.copy()
    if refused is not None and any(refused):
        counts = np.column_stack([counts, refused])
        columns.append("refused")
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    ax = new_axes(ax, width=1.6 + 0.95 * len(columns), height=1.4 + 0.75 * len(names))
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.grid(visible=False)  # which a theme may have drawn across the cells
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        ax.text(
            column,
            row,
            f"{count:,}\n{100 * share:.1f}%",
            ha="center",
            va="center",
            fontsize="small",
            color="white" if share > 0.55 else "black",
            fontweight="bold" if row == column else "normal",
        )
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(
        range(len(names)), [f"{n}\n({t:,})" for n, t in zip(names, totals[:, 0], strict=True)]
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="Called", ylabel="True class (images)")
    ax.figure.colorbar(image, ax=ax, label="Share of the true class", shrink=0.85)
    return ax


def plot_score_histogram(
    p_tumor: ArrayLike,
    is_tumor: ArrayLike,
    *,
    threshold: float | None = None,
    n_bins: int = 40,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how P(tumor) is spread over images with and without a tumor.

    Parameters
    ----------
    p_tumor : array_like of float, shape (n_images,)
        Probability of a tumor in [0, 1]; NaN (refused) is left out.
    is_tumor : array_like of bool, shape (n_images,)
        True for images with a tumor.
    threshold : float, optional
        Threshold in use, drawn as a line.
    n_bins : int, default=40
        Number of equal-width bins over [0, 1].
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes; counts are on a logarithmic scale, so that single images can be seen.

    Raises
    ------
    ParameterError
        If the two do not have the same length.

    Examples
    --------
    >>> ax = plot_score_histogram([0.1, 0.4, 0.8, 0.9], [False, False, True, True], threshold=0.5)
    >>> ax.figure.savefig("scores.png")
    """
    values = np.asarray(p_tumor, dtype=np.float64)
    sides = np.asarray(is_tumor, dtype=bool)
    if values.ndim != 1 or values.shape != sides.shape:
        msg = f"p_tumor and is_tumor must be of one length; received {values.shape}, {sides.shape}"
        raise ParameterError(msg)
    kept = ~np.isnan(values)
    edges = np.linspace(0, 1, n_bins + 1)
    ax = new_axes(ax, height=3.2)
    for index, (name, side) in enumerate((("no tumor", ~sides), ("tumor", sides))):
        chosen = values[side & kept]
        color = pick(PALETTE, index)
        ax.hist(
            chosen,
            bins=edges.tolist(),
            histtype="stepfilled",
            facecolor=(*_rgb(color), 0.25),
            edgecolor=color,
            hatch=pick(HATCHES, index),
            linewidth=1.4,
            label=f"{name} ({chosen.size:,} images)",
        )
    if threshold is not None:
        ax.axvline(
            threshold,
            color="black",
            linestyle="--",
            linewidth=1.2,
            label=f"threshold {threshold:.3f}",
        )
    finish(ax)
    ax.set_yscale("symlog", linthresh=1)
    ax.set(xlabel="P(tumor)", ylabel="Images", xlim=(-0.01, 1.01))
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.legend(fontsize="small", loc="upper center")
    return ax


def plot_class_balance(
    counts: Mapping[str, int] | Mapping[str, Mapping[str, int]], *, ax: "Axes | None" = None
) -> "Axes":
    """Draw how many images there are of each class.

    Parameters
    ----------
    counts : mapping of str to int, or of str to mapping of str to int
        Images of each class, or of each class in each part ("train": {"glioma": 12, ...}).
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes; bars of parts lie end to end.

    Examples
    --------
    >>> ax = plot_class_balance({"train": {"notumor": 70, "tumor": 30}, "test": {"notumor": 14}})
    >>> ax.figure.savefig("classes.png")
    """
    parts: dict[str, Mapping[str, int]] = {}
    for name, value in counts.items():
        if isinstance(value, Mapping):
            parts[name] = value
        else:
            parts.setdefault("", {})
            parts[""] = {**parts[""], name: value}
    classes = list(dict.fromkeys(name for part in parts.values() for name in part))
    ax = new_axes(ax, height=1.2 + 0.5 * max(1, len(classes)))
    start = np.zeros(len(classes))
    for index, (part, by_class) in enumerate(parts.items()):
        values = np.array([by_class.get(name, 0) for name in classes])
        bars = ax.barh(
            classes,
            values,
            left=start,
            label=f"{part} ({values.sum():,})",
            color=(*_rgb(pick(PALETTE, index)), 0.55),
            edgecolor="black",
            hatch=pick(HATCHES, index),
            linewidth=0.6,
        )
        if len(parts) > 1:
            largest = max(1.0, float(start.max() + values.max()))
            labels = [f"{v:,}" if v > 0.05 * largest else "" for v in values.tolist()]
            ax.bar_label(
                bars,
                labels,
                label_type="center",
                fontsize="x-small",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
            )
        start = start + values
    total = max(1.0, float(start.sum()))
    for row, width in enumerate(start.tolist()):
        text = f" {width:,.0f} ({100 * width / total:.0f}%)"
        ax.text(width, row, text, va="center", fontsize="small", color=GREY)
    finish(ax)
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, 1.22 * max(1.0, float(start.max(initial=0))))
    ax.invert_yaxis()
    ax.set(xlabel=f"Images ({start.sum():,.0f} in all)")
    if len(parts) > 1:
        ax.legend(
            fontsize="small",
            loc="lower center",
            bbox_to_anchor=(0.5, 1.0),
            ncols=min(3, len(parts)),
            frameon=False,
        )
    return ax


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
