"""The one door for image files: whatever the kind, grey pixels or a clear error."""

from operator import index

from mri_tumor.errors import ParameterError
from mri_tumor.images.intensity import Grey, Window, check_window
from mri_tumor.images.limits import MAX_BYTES, MAX_PIXELS, MIN_SIDE
from mri_tumor.images.messages import refusal
from mri_tumor.images.quiet import quiet_decoders
from mri_tumor.images.raster import read_raster
from mri_tumor.images.sniffing import HEAD, RASTERS, describe, sniff
from mri_tumor.images.sources import Opened, Source, opened


def read_image(
    source: Source,
    *,
    name: str | None = None,
    page: int | None = None,
    window: Window = "auto",
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
) -> Grey:
    """Read an image file as grey pixels.

    The kind is told from the content, never from the name. Colour becomes luma (ITU-R
    BT.601), transparency is laid on black, a camera's orientation is applied. Images of 16
    or 32 bits or floats become 8-bit by `window`. Images of 8 bits are left as they are.

    Parameters
    ----------
    source : str, path, bytes or binary file object
        PNG, JPEG, TIFF, BMP, WebP or GIF.
    name : str, optional
        What messages call it, such as the name of an upload; by default its path.
    page : int, optional
        Which page or frame of a file with several, from 0. Without it such a file is
        refused rather than guessed.
    window : {"auto", "percentile", "range"} or (float, float), default="auto"
        What becomes black and white in an image of more than 8 bits. "auto" and
        "percentile": its minimum and its 99.9th percentile. "range": its minimum and
        maximum. A pair: these intensities. All values equal give a black image.
    max_pixels : int, default=67_108_864
        An image with more pixels is refused before it is decoded.
    max_bytes : int, default=536_870_912
        A larger file is refused before it is read.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Grey pixels, upright, both sides at least 16.

    Raises
    ------
    ImageError
        If there is no such file, or it is a folder, empty, truncated, damaged, too large,
        too small, animated, or no image. The message names it and says what to do.
    ParameterError
        If an option is out of range.

    Examples
    --------
    >>> read_image("scan.png").shape  # doctest: +SKIP
    (512, 512)
    """
    check_window(window)
    _check_page(page)
    with quiet_decoders(), opened(source, name=name, max_bytes=max_bytes) as file:
        kind = file_kind(file)
        grey = read_raster(
            file.stream, kind, name=file.name, page=page, window=window, max_pixels=max_pixels
        )
        _check_side(grey, file.name)
        return grey


def file_kind(file: Opened) -> str:
    """Tell the kind of an open file, or refuse it.

    Parameters
    ----------
    file : Opened
        The file, whose stream is left at its beginning.

    Returns
    -------
    str
        As `sniff`.

    Raises
    ------
    ImageError
        If it is no image.
    """
    head = file.stream.read(HEAD)
    file.stream.seek(0)
    kind = sniff(head)
    if kind is None or kind not in RASTERS:
        raise refusal(
            file.name,
            f"is {describe(head)}",
            "Pass a PNG, JPEG, TIFF, BMP, WebP, GIF, DICOM or NIfTI file",
        )
    return kind


def _check_page(page: int | None) -> None:
    try:
        good = page is None or (not isinstance(page, bool) and index(page) >= 0)
    except TypeError:
        good = False
    if not good:
        msg = f"page: {page!r} is no page number. Pass an integer from 0, or None."
        raise ParameterError(msg)


def _check_side(grey: Grey, name: str) -> None:
    height, width = grey.shape
    if min(height, width) < MIN_SIDE:
        raise refusal(
            name,
            f"has {width} x {height} pixels, too few for a slice",
            f"Pass an image of at least {MIN_SIDE} x {MIN_SIDE}",
        )
