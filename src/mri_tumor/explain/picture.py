"""Draw maps over images, pixel on pixel, with NumPy and Pillow alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.explain.colormap import colorize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

NOTICE = "Research software, not a medical device."
_TEXT_HEIGHT = 16


def to_rgb(image: ArrayLike) -> NDArray[np.uint8]:
    """Bring a grey or colour image to 8-bit RGB for display.

    Parameters
    ----------
    image : array_like, shape (h, w), (h, w, 1) or (h, w, 3)
        `uint8` is taken as it is. Floats that lie in [0, 1] are multiplied by 255; other numbers in
        [0, 255] are rounded; any other range is stretched from its own minimum and maximum.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        Red, green and blue in [0, 255].

    Raises
    ------
    ImageError
        If the array has another shape, is empty, holds no numbers, or holds NaN or infinities.

    Examples
    --------
    >>> to_rgb([[0.0, 1.0]]).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] in (1, 3):
        pass
    elif array.ndim == 2:
        array = array[..., None]
    else:
        raise ImageError(
            f"image: expected shape (h, w), (h, w, 1) or (h, w, 3), got {array.shape}; "
            "pass one image at a time"
        )
    if array.size == 0 or array.dtype.kind not in "uif":
        raise ImageError(
            f"image: expected a non-empty array of numbers, got {array.dtype} of shape "
            f"{array.shape}"
        )
    if array.dtype != np.uint8:
        array = _to_uint8(array)
    return np.broadcast_to(array, (*array.shape[:2], 3)).copy()


def _to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise ImageError("image: it holds NaN or infinite values; clean it before drawing")
    low, high = values.min(), values.max()
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        values = values * 255.0
    elif low < 0 or high > 255:
        values = (values - low) * (255.0 / (high - low)) if high > low else np.zeros_like(values)
    return np.round(values).astype(np.uint8)


def overlay_map(
    image: ArrayLike,
    values: NDArray[np.floating],
    *,
    opacity: float = 0.45,
    colormap: str = "inferno",
    contour: float | None = None,
) -> NDArray[np.uint8]:
    """Blend a map into an image, pixel on pixel.

    Each pixel is mixed with its colour by `opacity` times the map's value there, so a pixel without
    evidence keeps the image's own grey, and a map that is zero everywhere changes nothing.

    Parameters
    ----------
    image : array_like, shape (h, w), (h, w, 1) or (h, w, 3)
        The image, as :func:`to_rgb` takes it.
    values : ndarray of float, shape (h, w)
        The map in [0, 1], of the image's height and width.
    opacity : float, default=0.45
        Share of colour in [0, 1] where the map is 1.
    colormap : str, default="inferno"
        A name of :data:`~mri_tumor.explain.colormap.COLORMAPS`.
    contour : float, optional
        Draw the outline of the region where the map reaches this value, in (0, 1].

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        The picture.

    Raises
    ------
    ImageError
        If the image cannot be shown, or its size is not the map's.
    ParameterError
        If `opacity`, `contour` or `colormap` is outside of what is allowed.
    """
    if not 0.0 <= opacity <= 1.0:
        raise ParameterError(f"opacity: {opacity} is outside of [0, 1]")
    picture = to_rgb(image)
    if picture.shape[:2] != values.shape:
        raise ImageError(
            f"image: it is {picture.shape[0]} x {picture.shape[1]} pixels (height x width), the map "
            f"{' x '.join(map(str, values.shape))}; pass the image that was explained"
        )
    share = (opacity * np.clip(values, 0.0, 1.0))[..., None]
    mixed = picture * (1.0 - share) + colorize(values, colormap=colormap) * share
    result: NDArray[np.uint8] = np.round(mixed).astype(np.uint8)
    if contour is not None:
        result[contour_mask(values, contour)] = (255, 255, 255)
    return result


def contour_mask(values: NDArray[np.floating], level: float) -> NDArray[np.bool_]:
    """Mark the rim of the region where a map reaches a level.

    Parameters
    ----------
    values : ndarray of float, shape (h, w)
        The map in [0, 1].
    level : float
        The level, in (0, 1].

    Returns
    -------
    ndarray of bool, shape (h, w)
        True on those pixels of the region that touch, by an edge, a pixel outside of it. The
        picture's border is no outside.

    Raises
    ------
    ParameterError
        If `level` is not in (0, 1].
    """
    if not 0.0 < level <= 1.0:
        raise ParameterError(f"contour: {level} is outside of (0, 1]")
    region = values >= level
    padded = np.pad(region, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rim: NDArray[np.bool_] = region & ~inner
    return rim


def color_bar(
    height: int, *, width: int = 14, colormap: str = "inferno", labels: bool = True
) -> NDArray[np.uint8]:
    """Draw an upright colour bar, 1 at the top and 0 at the bottom.

    Parameters
    ----------
    height, width : int
        Size of the bar in pixels; the labels take 24 more columns.
    colormap : str, default="inferno"
        A name of :data:`~mri_tumor.explain.colormap.COLORMAPS`.
    labels : bool, default=True
        Write 1 and 0 beside the ends.

    Returns
    -------
    ndarray of uint8, shape (height, width or width + 24, 3)
        The bar.

    Raises
    ------
    ParameterError
        If the bar would have no pixels, or no map has that name.
    """
    if height < 1 or width < 1:
        raise ParameterError(f"color_bar: {height} x {width} pixels leave nothing to draw")
    ramp = np.linspace(1.0, 0.0, height)[:, None].repeat(width, axis=1)
    bar = colorize(ramp, colormap=colormap)
    if not labels:
        return bar
    canvas = Image.new("RGB", (width + 24, height), "black")
    canvas.paste(Image.fromarray(bar), (0, 0))
    draw, font = ImageDraw.Draw(canvas), _font()
    draw.text((width + 5, 1), "1", fill="white", font=font, anchor="lt")
    draw.text((width + 5, height - 2), "0", fill="white", font=font, anchor="lb")
    return np.asarray(canvas).copy()


def tile(
    pictures: Sequence[NDArray[np.uint8]],
    *,
    columns: int | None = None,
    captions: Sequence[str] | None = None,
    gap: int = 4,
    footer: str | None = None,
) -> NDArray[np.uint8]:
    """Lay pictures out in rows, each under its caption, none resized.

    Parameters
    ----------
    pictures : sequence of ndarray of uint8, shape (h, w, 3)
        The pictures; smaller ones are centred in the largest one's cell.
    columns : int, optional
        Pictures per row; by default as near to a square as possible.
    captions : sequence of str, optional
        One line per picture. A line too long for its cell is cut with an ellipsis.
    gap : int, default=4
        Pixels between the cells.
    footer : str, optional
        A line under all.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The sheet.

    Raises
    ------
    ParameterError
        If there is nothing to lay out, or captions and pictures differ in number.
    """
    if not pictures:
        raise ParameterError("pictures: there is none to lay out")
    if captions is not None and len(captions) != len(pictures):
        raise ParameterError(f"captions: {len(captions)} for {len(pictures)} pictures")
    columns = math.ceil(math.sqrt(len(pictures))) if columns is None else columns
    if columns < 1 or gap < 0:
        raise ParameterError(f"columns must be at least 1 and gap 0, got {columns} and {gap}")
    columns = min(columns, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    cell_h = max(p.shape[0] for p in pictures)
    cell_w = max(p.shape[1] for p in pictures)
    text_h = _TEXT_HEIGHT if captions is not None else 0
    step_x, step_y = cell_w + gap, cell_h + text_h + gap
    foot = _TEXT_HEIGHT if footer else 0
    canvas = Image.new("RGB", (columns * step_x - gap, rows * step_y - gap + foot), "black")
    draw, font = ImageDraw.Draw(canvas), _font()
    for index, picture in enumerate(pictures):
        left, top = (index % columns) * step_x, (index // columns) * step_y
        if captions is not None:
            line = _fit(captions[index], cell_w - 2, draw, font)
            draw.text((left + 1, top + 1), line, fill="white", font=font, anchor="lt")
        dx, dy = (cell_w - picture.shape[1]) // 2, (cell_h - picture.shape[0]) // 2
        canvas.paste(Image.fromarray(picture), (left + dx, top + text_h + dy))
    if footer:
        line = _fit(footer, canvas.width - 2, draw, font)
        draw.text((1, canvas.height - foot + 2), line, fill="white", font=font, anchor="lt")
    return np.asarray(canvas).copy()


def _font() -> Any:
    return ImageFont.load_default(size=11)


def _fit(text: str, width: int, draw: ImageDraw.ImageDraw, font: Any) -> str:
    """Cut a line to a width in pixels."""
    if draw.textlength(text, font=font) <= width:
        return text
    while text and draw.textlength(text + "…", font=font) > width:
        text = text[:-1]
    return text + "…"
