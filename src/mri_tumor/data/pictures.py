"""Pictures of copies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mri_tumor.data.dataset import Dataset
from mri_tumor.errors import DataError, ImageError
from mri_tumor.images import read_image
from mri_tumor.images.messages import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mri_tumor.data.audit_report import Pair


def plot_pairs(dataset: Dataset, pairs: Sequence["Pair"], *, n_columns: int = 2) -> "Figure":
    """Draw pairs of images side by side, each with its label, part and file.

    Parameters
    ----------
    dataset : Dataset
        The images.
    pairs : sequence of Pair
        Which to draw.
    n_columns : int, default=2
        Pairs beside each other.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown and not saved.

    Raises
    ------
    DataError
        If there are no pairs.
    """
    from matplotlib.figure import Figure

    if not pairs:
        raise DataError("there are no copies to draw: all images are independent.")
    n_rows = -(-len(pairs) // n_columns)
    figure = Figure(figsize=(5.2 * n_columns, 2.9 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, 2 * n_columns, squeeze=False).ravel()
    for number, pair in enumerate(pairs):
        left, right = axes[2 * number], axes[2 * number + 1]
        _draw(left, dataset, pair.first)
        _draw(right, dataset, pair.second)
        color = "firebrick" if pair.conflict or pair.leak else "black"
        left.set_xlabel(_describe(pair), fontsize=8, color=color, loc="left")
    for axis in axes[2 * len(pairs) :]:
        axis.remove()
    return figure


def _draw(axis: "Axes", dataset: Dataset, index: int) -> None:
    path = dataset.paths[index]
    # The axis stays on: a layout makes room for its texts only then.
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    try:
        axis.imshow(read_image(path), cmap="gray", vmin=0, vmax=255)
    except ImageError:
        axis.text(0.5, 0.5, "cannot be read any more", ha="center", transform=axis.transAxes)
    part = dataset.splits[index]
    title = f"{dataset.labels[index]}{f' ({part})' if part else ''}\n{shown(Path(path).name)}"
    axis.set_title(title, fontsize=8, parse_math=False)


def _describe(pair: "Pair") -> str:
    told = ["identical pixels" if pair.exact else f"{pair.distance} of 256 bits apart"]
    if pair.conflict:
        told.append("labels contradict")
    if pair.leak:
        told.append("crosses the split")
    return ", ".join(told)
