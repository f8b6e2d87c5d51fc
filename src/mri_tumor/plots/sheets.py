"""Sheets of images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import ParameterError
from mri_tumor.plots.style import GREY, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOTICE = "Research software, not a medical device."


def plot_images(
    images: Sequence[ArrayLike | None],
    titles: Sequence[str] | None = None,
    *,
    heatmaps: Sequence[Any] | None = None,
    n_columns: int = 5,
    alpha: float = 0.45,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw images side by side, with heatmaps over them if there are any.

    Parameters
    ----------
    images : sequence of array_like, shapes (h, w) or (h, w, 3), or None
        Grey or RGB images; None leaves a gap, for a file that cannot be read.
    titles : sequence of str, optional
        A title for each image.
    heatmaps : sequence of array_like of float, shape (h', w'), optional
        Maps in [0, 1], or objects with such an array as `values`; stretched over their image.
        The map is more opaque where it is higher, so that the image shows through elsewhere.
    n_columns : int, default=5
        Images in a row.
    alpha : float, default=0.45
        Opacity of a heatmap where it is highest, in [0, 1].
    ax : matplotlib Axes, optional
        Axes to fill; by default those of a new figure.

    Returns
    -------
    matplotlib Axes
        The axes that the images lie in.

    Raises
    ------
    ParameterError
        If titles or heatmaps are not as many as the images, or there are none.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> phantoms = make_phantoms(4, size=64)
    >>> ax = plot_images(phantoms.images, phantoms.labels, n_columns=4)
    >>> ax.figure.savefig("sheet.png")
    """
    if not len(images):
        msg = "images is empty: there is nothing to draw"
        raise ParameterError(msg)
    for name, others in (("titles", titles), ("heatmaps", heatmaps)):
        if others is not None and len(others) != len(images):
            msg = f"{name} must have {len(images)} entries, one for each image; got {len(others)}"
            raise ParameterError(msg)
    columns = max(1, min(n_columns, len(images)))
    rows = -(-len(images) // columns)
    # An array of titles has no truth value.
    given = () if titles is None else titles
    lines = max((title.count("\n") + 1 for title in given), default=0)
    cell = 2.0 + 0.16 * lines
    # The notice needs more than one narrow image.
    ax = new_axes(ax, width=max(2.5, 2.0 * columns), height=cell * rows + 0.25)
    ax.set_axis_off()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    bottom = 0.25 / (cell * rows + 0.25)
    height = (1 - bottom) / rows
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        place = (
            (column + 0.03) / columns,
            bottom + (rows - 1 - row) * height + 0.02 * height,
            0.94 / columns,
            0.96 * height * 2.0 / cell,
        )
        one = ax.inset_axes(place)
        _draw(one, image, None if heatmaps is None else heatmaps[index], alpha)
        if titles is not None:
            # Dollar signs of a file's name are no mathematics.
            one.set_title(titles[index], fontsize=8, pad=3, parse_math=False)
    ax.text(0.5, 0, NOTICE, ha="center", va="bottom", fontsize=7, color=GREY)
    return ax


def _draw(one: "Axes", image: ArrayLike | None, heatmap: Any, alpha: float) -> None:
    one.set_xticks([])
    one.set_yticks([])
    if image is None:
        one.text(0.5, 0.5, "cannot be read", ha="center", va="center", fontsize=8, color=GREY)
        return
    pixels = np.asarray(image)
    grey = pixels.ndim == 2
    if not grey and pixels.dtype.kind == "f":
        pixels = np.clip(pixels / (255 if pixels.max(initial=0) > 1 else 1), 0, 1)
    one.imshow(pixels, cmap="gray" if grey else None, interpolation="antialiased")
    one.spines[:].set_color("#bbbbbb")
    if heatmap is None:
        return
    values: NDArray[np.float64] = np.asarray(getattr(heatmap, "values", heatmap), float)
    one.imshow(
        values,
        cmap="inferno",
        vmin=0,
        vmax=1,
        alpha=alpha * np.clip(values, 0, 1),
        extent=(-0.5, pixels.shape[1] - 0.5, pixels.shape[0] - 0.5, -0.5),
        interpolation="bilinear",
    )
