"""Training curves."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError
from mri_tumor.plots.style import GREY, PALETTE, finish, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = {"accuracy": "Accuracy", "loss": "Loss"}


def plot_history(
    history: Mapping[str, Sequence[Any]], *, metric: str = "accuracy", ax: "Axes | None" = None
) -> "Axes":
    """Draw how a figure changed from epoch to epoch, on training and validation images.

    Parameters
    ----------
    history : mapping of str to sequence
        `metric` and ``"val_"`` + `metric` as lists of float, one for each epoch; "stage", if there
        is one, names the stage of each epoch ("head", "finetune").
    metric : str, default="accuracy"
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw; by default in a new figure.

    Returns
    -------
    matplotlib Axes
        The axes. The best validation epoch has a ring, and a line stands where a stage begins.

    Raises
    ------
    ParameterError
        If the history has no such figure.

    Examples
    --------
    >>> history = {"loss": [0.9, 0.5], "val_loss": [0.8, 0.6], "stage": ["head", "finetune"]}
    >>> plot_history(history, metric="loss").get_xlabel()
    'Epoch'
    """
    if metric not in history or not len(history[metric]):
        known = ", ".join(sorted(k for k in history if not k.startswith("val_"))) or "nothing"
        msg = f"metric {metric!r} is not in the history, which holds {known}"
        raise ParameterError(msg)
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(ax, height=3.4)
    n_epochs = len(history[metric])
    epochs = np.arange(1, n_epochs + 1)
    dots = "o" if n_epochs <= 30 else None
    ax.plot(
        epochs,
        np.asarray(history[metric], float),
        color=PALETTE[0],
        marker=dots,
        markersize=3.5,
        label="training",
    )
    validation = np.asarray(history.get(f"val_{metric}", ()), float)
    if validation.size and not np.isnan(validation).all():
        ax.plot(
            epochs[: validation.size],
            validation,
            color=PALETTE[1],
            linestyle="--",
            marker="s" if dots else None,
            markersize=3.5,
            label="validation",
        )
        best = int(np.nanargmin(validation) if "loss" in metric else np.nanargmax(validation))
        ax.plot(
            best + 1,
            validation[best],
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgecolor="black",
            linestyle="none",
            label=f"best validation: {validation[best]:.4f}, epoch {best + 1}",
        )
    _mark_stages(ax, [str(stage) for stage in history.get("stage", ())])
    finish(ax)
    ax.set(xlabel="Epoch", ylabel=NAMES.get(metric, metric), xlim=(0.5, n_epochs + 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize="small")
    return ax


def _mark_stages(ax: "Axes", stages: Sequence[str]) -> None:
    for index, stage in enumerate(stages):
        if index and stages[index - 1] == stage:
            continue
        if index:
            ax.axvline(index + 0.5, color=GREY, linewidth=0.9, linestyle=(0, (2, 2)))
        ax.annotate(
            stage,
            (index + 0.55, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 2),
            textcoords="offset points",
            fontsize="x-small",
            color=GREY,
        )
