"""How P(tumor) is spread over the images of each class."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from mri_tumor.errors import ParameterError
from mri_tumor.plots.style import PALETTE, finish, new_axes, pick

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_scores_by_class(
    p_tumor: ArrayLike,
    labels: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    threshold: float | None = None,
    n_bins: int = 40,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how P(tumor) is spread over the images of each class, class above class.

    Parameters
    ----------
    p_tumor : array_like of float, shape (n_images,)
        Probability of a tumor in [0, 1]; NaN (refused) is left out and counted.
    labels : sequence of str, length n_images
        True class of each image.
    classes : sequence of str, optional
        Classes to draw, from top to bottom; by default those of the labels, sorted.
    threshold : float, optional
        Threshold in use, drawn as a line.
    n_bins : int, default=40
        Number of equal-width bins over [0, 1].
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes. In each row the height of a bin is its share of the class's images on a square
        root scale, so that single images can be seen.

    Raises
    ------
    ParameterError
        If the two do not have the same length.

    Examples
    --------
    >>> ax = plot_scores_by_class([0.1, 0.8, 0.9], ["notumor", "glioma", "meningioma"], threshold=0.5)
    >>> ax.figure.savefig("scores.png")
    """
    values = np.asarray(p_tumor, dtype=np.float64)
    names = np.asarray(labels, dtype=str)
    if values.ndim != 1 or values.shape != names.shape:
        msg = f"p_tumor and labels must be of one length; received {values.shape}, {names.shape}"
        raise ParameterError(msg)
    rows = sorted(set(names.tolist())) if classes is None else list(classes)
    edges = np.linspace(0, 1, n_bins + 1)
    ax = new_axes(ax, width=5.6, height=1.1 + 0.75 * max(1, len(rows)))
    ticks = []
    for place, name in enumerate(rows):
        own = values[names == name]
        kept = own[~np.isnan(own)]
        base = len(rows) - 1 - place
        counts, _ = np.histogram(kept, bins=edges)
        heights = 0.85 * np.sqrt(counts / max(1, kept.size))
        ax.bar(
            edges[:-1],
            heights,
            width=1 / n_bins,
            bottom=base,
            align="edge",
            color=pick(PALETTE, place),
            edgecolor="black",
            linewidth=0.3,
            label=name,
        )
        ax.axhline(base, color="#999999", linewidth=0.6)
        gone = f", {own.size - kept.size:,} refused" if kept.size < own.size else ""
        ticks.append((base + 0.35, f"{name}\n({kept.size:,} images{gone})"))
    if threshold is not None:
        ax.axvline(threshold, color="black", linestyle="--", linewidth=1.2)
        ax.annotate(
            f"threshold {threshold:.3f}",
            (threshold, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize="x-small",
        )
    finish(ax)
    ax.grid(visible=False, axis="y")
    ax.set_yticks([at for at, _ in ticks], [text for _, text in ticks])
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="P(tumor)", ylabel="Share of the class", xlim=(-0.01, 1.01))
    ax.set_ylim(-0.05, max(1, len(rows)))
    return ax
