"""Bounds that hold before anything is decoded, so that no file can fill the memory."""

from mri_tumor.images.messages import refusal

MAX_PIXELS = 2**26
"""Most pixels of one image (8,192 x 8,192; a film scanned at 600 dpi has a third of it)."""

MAX_BYTES = 2**29
"""Most bytes of one file on disk (512 MiB)."""

MAX_VOLUME_BYTES = 2**32
"""Most bytes of a volume, once unpacked (4 GiB); it is read slice by slice."""

MAX_PAGES = 4096
"""Most pages, frames or slices of one file."""

MAX_SERIES_FILES = 16_384
"""Most files of a folder that is read as one series."""

MIN_SIDE = 16
"""Fewest pixels of a side: less than this is an icon and no slice of a head."""


def check_pixels(size: tuple[int, int], *, name: str, max_pixels: int) -> None:
    """Refuse an image that is too large to decode.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.
    name : str
        What messages call the file.
    max_pixels : int
        Most pixels that are accepted.

    Raises
    ------
    ImageError
        If width times height is more.
    """
    width, height = size
    if width * height > max_pixels:
        raise refusal(
            name,
            f"has {width:,} x {height:,} pixels, over the limit of {max_pixels:,} in all",
            "Scale it down, or raise max_pixels if you trust it",
        )


def check_side(shape: tuple[int, ...], *, name: str) -> None:
    """Refuse an image that is too small to be a slice.

    Parameters
    ----------
    shape : tuple of int
        Height and width in pixels.
    name : str
        What messages call the file.

    Raises
    ------
    ImageError
        If a side is shorter than `MIN_SIDE`.
    """
    height, width = shape
    if min(height, width) < MIN_SIDE:
        raise refusal(
            name,
            f"has {width} x {height} pixels, too few for a slice",
            f"Pass an image of at least {MIN_SIDE} x {MIN_SIDE}",
        )
