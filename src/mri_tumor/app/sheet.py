"""One page of a case, as PNG or PDF."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mri_tumor.app.words import (
    WARNING,
    class_name,
    percent,
    probability_in_words,
    threshold_in_words,
    verdict,
)
from mri_tumor.explain.picture import to_rgb
from mri_tumor.images.messages import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.explain.heatmap import Heatmap

_A4 = (8.27, 11.69)
_GREY = "#444444"


@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """What stands on the page.

    Parameters
    ----------
    name : str
        What the case is called.
    row : mapping
        The answer.
    rule : DecisionRule
        What it was decided by.
    model : str
        What the model is called.
    image : ndarray of uint8, shape (h, w), or None
        The scan; None where it cannot be read.
    heatmap : Heatmap, optional
        Drawn beside the scan.
    opacity : float, default=0.45
        Of the heatmap, in [0, 1].
    note : str, default=""
        A line more, such as which slice is shown.
    """

    name: str
    row: Mapping[str, Any]
    rule: DecisionRule
    model: str
    image: NDArray[np.uint8] | None = None
    heatmap: Heatmap | None = None
    opacity: float = 0.45
    note: str = ""


def write_page(page: Page, *, kind: Literal["png", "pdf"] = "png") -> bytes:
    """Draw the page.

    Parameters
    ----------
    page : Page
        What stands on it.
    kind : {"png", "pdf"}, default="png"
        Format of the file.

    Returns
    -------
    bytes
        The file, A4; it does not say when, where or by whom it was made.
    """
    buffer = io.BytesIO()
    about: dict[str, Any] = {"Software": None}
    if kind == "pdf":
        about = {"Title": "mri-tumor", "Creator": None, "Producer": None, "CreationDate": None}
    draw_page(page).savefig(buffer, format=kind, dpi=120, metadata=about)
    return buffer.getvalue()


def draw_page(page: Page) -> Figure:
    """Draw the page as a figure that pyplot does not know."""
    from matplotlib.figure import Figure

    from mri_tumor import __version__

    figure = Figure(figsize=_A4)
    answer = verdict(page.row, page.rule)
    text = _Text(figure)
    text.write(WARNING, size=10, weight="bold", color="#8a3b00")
    text.write(shown(page.name), size=11, color=_GREY)
    text.write(answer.title, size=20, weight="bold")
    p = page.row["tumor_probability"]
    if p is not None:
        text.write(f"Probability of a tumour: {percent(p)}", size=14)
    text.write(answer.meaning, size=10)
    if p is not None:
        volume = page.row.get("kind") == "volume"
        text.write(probability_in_words(p, page.rule, volume=volume), size=10)
        text.write(threshold_in_words(page.rule), size=10)
    top = text.y - 0.02
    text.y = top - _pictures(figure, page, top) - 0.02
    text.write(page.note, size=9, color=_GREY)
    if page.heatmap is not None:
        text.write(
            f"Right: evidence for {class_name(page.heatmap.target)} by {page.heatmap.method}, from none (the "
            "scan's own grey) to the most in this image (yellow). It shows what moved the model, "
            "not where a tumour is.",
            size=9,
            color=_GREY,
        )
    if page.row["probabilities"]:
        _bars(figure, page.row["probabilities"], text.y - 0.03)
    foot = f"mri-tumor {__version__}, model {shown(page.model)}. {WARNING}"
    figure.text(0.08, 0.03, foot, fontsize=8, color=_GREY)
    return figure


@dataclass
class _Text:
    """Writes down a page, line under line."""

    figure: Figure
    y: float = 0.955

    def write(self, text: str, *, size: float, **style: Any) -> None:
        if not text:
            return
        # A letter is about 0.56 of its size wide; the page has 6.9 inches for text.
        lines = textwrap.wrap(text, width=int(6.9 * 72 / (0.53 * size)))
        body = "\n".join(lines).replace("$", r"\$")
        self.figure.text(0.08, self.y, body, fontsize=size, va="top", linespacing=1.35, **style)
        self.y -= (len(lines) * 1.4 * size + 5) / (72 * _A4[1])


def _pictures(figure: Figure, page: Page, top: float) -> float:
    """Draw scan and heatmap side by side; return their height as a share of the page."""
    if page.image is None:
        return 0.0
    rows, columns = page.image.shape
    height = float(min(0.45, 0.41 * _A4[0] / _A4[1] * rows / columns))
    pictures = [to_rgb(page.image)]
    if page.heatmap is not None:
        pictures.append(page.heatmap.overlay(opacity=page.opacity))
    for number, picture in enumerate(pictures):
        axes = figure.add_axes((0.08 + 0.43 * number, top - height, 0.41, height))
        axes.imshow(picture)
        axes.set_axis_off()
        axes.set_anchor("NW")
    return height


def _bars(figure: Figure, probabilities: Mapping[str, float], top: float) -> None:
    names = list(probabilities)
    height = 0.026 * len(names)
    axes = figure.add_axes((0.25, top - height, 0.5, height))
    values = [probabilities[name] for name in names]
    bars = axes.barh([class_name(name) for name in names], values, color="#0072B2", height=0.6)
    axes.bar_label(bars, [percent(value) for value in values], padding=4, fontsize=9)
    axes.set_xlim(0, 1.1)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.set_xticks([])
    axes.tick_params(length=0, labelsize=9)
    axes.set_title("Probability of each class", fontsize=9, loc="left", color=_GREY)
