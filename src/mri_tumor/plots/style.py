"""What all pictures share: colours that colour-blind readers can tell apart, and sizes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, "Color Universal Design", 2008. Lines and bars differ in style or
# hatching too, so that they can be told apart in a grey print.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo", "+++")
GREY = "#666666"


def new_axes(ax: "Axes | None", *, width: float = 5.0, height: float = 4.2) -> "Axes":
    """Return the axes given, or those of a new figure that pyplot does not hold on to.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Where to draw.
    width, height : float
        Size of a new figure, in inches.

    Returns
    -------
    matplotlib Axes
        Where to draw. `ax.figure.savefig(path)` writes a new figure; it is freed with its last
        reference, with no need to close it.
    """
    if ax is not None:
        return ax
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    return figure.subplots()


def pick(options: Sequence[Any], index: int) -> Any:
    """Return an option by its number, starting again after the last."""
    return options[index % len(options)]


def show_share(value: float) -> str:
    """Format a figure of [0, 1] with three decimals, or more where it would round to 1 or 0.

    Parameters
    ----------
    value : float
        In [0, 1].

    Returns
    -------
    str
        At most eight characters.

    Examples
    --------
    >>> show_share(0.98765), show_share(0.99962), show_share(1.0)
    ('0.988', '0.9996', '1.000')
    """
    for digits in (3, 4, 5, 6):
        shown = f"{value:.{digits}f}"
        if value in (0, 1) or 0 < float(shown) < 1:
            return f"{value:.3f}" if value in (0, 1) else shown
    return ">.999999" if value > 0.5 else "<.000001"


def finish(ax: "Axes") -> None:
    """Take away the frame's upper and right sides and draw a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, color="#dddddd", linewidth=0.6)
    ax.set_axisbelow(True)
