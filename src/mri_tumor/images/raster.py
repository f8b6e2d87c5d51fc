"""Read PNG, JPEG, TIFF, BMP, WebP and GIF through Pillow."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps

from mri_tumor.errors import ImageError
from mri_tumor.images.colour import luma
from mri_tumor.images.intensity import Grey, intensity_window, to_grey
from mri_tumor.images.limits import MAX_PAGES, check_pixels
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import Window

_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_COLOUR = ("CMYK", "YCbCr", "HSV", "RGBX")
_ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
_PHOTOMETRIC = 262  # TIFF tag; 0 says that the smallest value is white
_ORIENTATION = 274  # EXIF tag
_GIF_TAIL = 64  # bytes in which the end mark of a GIF must stand


def read_raster(
    stream: IO[bytes],
    kind: str,
    *,
    name: str,
    page: int | None = None,
    window: Window = "auto",
    max_pixels: int,
) -> Grey:
    """Read one picture of a raster file as grey.

    Parameters
    ----------
    stream : binary file object
        The file, from its beginning.
    kind : str
        One of `sniffing.RASTERS`.
    name : str
        What messages call it.
    page : int, optional
        Which page or frame, from 0; needed where there are several.
    window : {"auto", "percentile", "range"} or (float, float), default="auto"
        How 16-bit, 32-bit and float images become 8-bit; see `intensity_window`.
    max_pixels : int
        Most pixels that are decoded.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        The upright picture.

    Raises
    ------
    ImageError
        If it cannot be read, is too large, or holds several pictures and `page` is None.
    """
    _check_end(stream, kind, name)
    with _decoding(name, kind), Image.open(stream, formats=(kind,)) as image:
        check_pixels(image.size, name=name, max_pixels=max_pixels)
        _go_to(image, page, name=name, kind=kind)
        return _grey_page(image, name=name, window=window, max_pixels=max_pixels)


def has_pages(stream: IO[bytes], kind: str, *, name: str) -> bool:
    """Tell whether a raster file holds several pages or frames.

    Parameters
    ----------
    stream : binary file object
        The file, from its beginning.
    kind : str
        One of `sniffing.RASTERS`.
    name : str
        What messages call it.

    Returns
    -------
    bool
        False for a photo with a preview inside (MPO).

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    with _decoding(name, kind), Image.open(stream, formats=(kind,)) as image:
        return image.format != "MPO" and _seek(image, 1)


def open_pages(
    stream: IO[bytes], kind: str, *, name: str, window: Window = "auto", max_pixels: int
) -> tuple[int, Callable[[int], Grey]]:
    """Open all pages or frames of a raster file.

    Parameters
    ----------
    stream, kind, name, window, max_pixels
        As in `read_raster`; the stream must stay open.

    Returns
    -------
    count : int
        Number of pages; a photo with a preview inside (MPO) has 1.
    read : callable
        Reads a page by its number, as `read_raster`; quickest in ascending order.

    Raises
    ------
    ImageError
        If it cannot be read, or holds more than `limits.MAX_PAGES`.
    """
    _check_end(stream, kind, name)
    with _decoding(name, kind):
        image = Image.open(stream, formats=(kind,))
        check_pixels(image.size, name=name, max_pixels=max_pixels)
        count = _count(image, name)
        image.seek(0)

    def read(page: int) -> Grey:
        with _decoding(name, kind):
            if image.format != "MPO":
                image.seek(page)
            return _grey_page(image, name=name, window=window, max_pixels=max_pixels)

    return count, read


def _count(image: Image.Image, name: str) -> int:
    if image.format == "MPO":
        return 1
    # One at a time: Pillow's own count has no bound.
    for count in range(1, MAX_PAGES + 1):
        if not _seek(image, count):
            return count
    raise refusal(name, f"holds more than {MAX_PAGES:,} pages", "Split the file")


def _grey_page(image: Image.Image, *, name: str, window: Window, max_pixels: int) -> Grey:
    # Pages may differ in size.
    check_pixels(image.size, name=name, max_pixels=max_pixels)
    if image.mode not in _DEEP and any(
        ";16" in str(tile[3]) for tile in getattr(image, "tile", [])
    ):
        # Pillow would keep the upper byte of each: of a scan of 12 bits 16 grey levels.
        raise refusal(
            name,
            "has several channels of 16 bits, which cannot be read without loss",
            "Save it with one channel of 16 bits (grey), or with 8 bits",
        )
    image.load()
    return _to_grey(_upright(image), name=name, window=window)


def _check_end(stream: IO[bytes], kind: str, name: str) -> None:
    """Refuse an animation that was cut between two frames: it would pass for a shorter one."""
    if kind != "GIF":
        return
    stream.seek(max(0, stream.seek(0, io.SEEK_END) - _GIF_TAIL))
    tail = stream.read().rstrip(b"\0\r\n")
    stream.seek(0)
    if not tail.endswith(b";"):
        raise _truncated(name, kind)


def _truncated(name: str, kind: str) -> ImageError:
    problem = f"is a {kind} file that ends early (truncated)"
    return refusal(name, problem, "Copy or download it again")


@contextmanager
def _decoding(name: str, kind: str) -> Iterator[None]:
    """Turn whatever Pillow raises within the block into one clear error."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # noqa: BLE001 - damaged files raise nearly anything
        raise _explained(error, name, kind) from None


def _explained(error: Exception, name: str, kind: str) -> ImageError:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return refusal(name, "has more pixels than Pillow will decode", "Scale it down")
    if isinstance(error, MemoryError):
        return refusal(name, "does not fit in memory", "Scale it down")
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return _truncated(name, kind)
    problem = f"is a {kind} file that is damaged or of a variety that is not supported"
    return refusal(name, problem, "Copy it again, or save it again as a PNG or JPEG")


def _seek(image: Image.Image, page: int) -> bool:
    """Go to a page, and tell whether it is there."""
    try:
        image.seek(page)
    except EOFError:
        return False
    return True


def _go_to(image: Image.Image, page: int | None, *, name: str, kind: str) -> None:
    if image.format == "MPO":
        # A photo whose further pictures are its own previews.
        if page not in (None, 0):
            raise refusal(name, f"has no page {page}: it is one photo", "Pass page=0")
        return
    if page is None:
        if _seek(image, 1):
            what = "pages" if kind == "TIFF" else "frames (an animation)"
            raise refusal(
                name,
                f"holds several {what}, and which to read is not said",
                "Pass page=0 for the first, or read them all by read_volume",
            )
        image.seek(0)
        return
    for number in range(1, page + 1):
        if not _seek(image, number):
            raise refusal(name, f"has no page {page}: it holds {number}", "Count pages from 0")


def _upright(image: Image.Image) -> Image.Image:
    """Apply the orientation that a camera or phone wrote, if there is a readable one."""
    try:
        turned = image.getexif().get(_ORIENTATION, 1) != 1
    except Exception:  # noqa: BLE001 - the pixels are fine where the EXIF is damaged
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _to_grey(image: Image.Image, *, name: str, window: Window) -> Grey:
    mode = image.mode
    if mode in _DEEP:
        values: Any = np.asarray(image)
        grey = to_grey(values, *intensity_window(values, name=name, window=window))
        tags = getattr(image, "tag_v2", None)
        # Pillow inverts such images for 8 bits only.
        white_is_zero = tags is not None and tags.get(_PHOTOMETRIC) == 0
        return 255 - grey if white_is_zero else grey
    if mode in _ALPHA or "transparency" in image.info:
        return np.asarray(luma(image))
    if mode == "LAB":
        return np.asarray(image.getchannel(0))
    if mode == "L":
        return np.asarray(image)
    if mode in ("1", "RGB"):
        return np.asarray(image.convert("L"))
    if mode == "P" or mode in _COLOUR:
        return np.asarray(image.convert("RGB").convert("L"))
    raise refusal(
        name,
        f"has pixels of the kind {mode!r}, which is not supported",
        "Save it again as a PNG or JPEG",
    )
