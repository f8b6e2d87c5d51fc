"""Tell a file's kind by its content: names and extensions lie."""

import zlib

HEAD = 1024
"""Bytes that are enough to tell the kind."""

RASTERS = ("PNG", "JPEG", "TIFF", "BMP", "WebP", "GIF")

_RASTER_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)

# What people hand over instead of a scan; the answer can then say what it is.
_OTHER_MAGIC = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (or an office document)"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a bare JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"NRRD", "an NRRD volume"),
    (b"ObjectType", "a MetaImage volume"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file itself"),
)


def sniff(head: bytes) -> str | None:
    """Tell the kind of a file from its first bytes.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes, or the whole file if it is shorter.

    Returns
    -------
    str or None
        "PNG", "JPEG", "TIFF", "BMP", "WebP", "GIF", "DICOM" or "NIfTI"; None for all else.

    Examples
    --------
    >>> sniff(b"GIF89a...")
    'GIF'
    """
    # DICOM first: its 128 free bytes may hold the beginning of another format.
    if head[128:132] == b"DICM":
        return "DICOM"
    for magic, kind in _RASTER_MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    # A text that begins with "BM" has no such header length.
    if head[:2] == b"BM" and head[14:18] in _BMP_HEADERS:
        return "BMP"
    if _is_nifti(head) or (head[:2] == b"\x1f\x8b" and _is_nifti(_unpacked(head))):
        return "NIfTI"
    if _is_bare_dicom(head):
        return "DICOM"
    return None


_BMP_HEADERS = {n.to_bytes(4, "little") for n in (12, 40, 52, 56, 64, 108, 124)}


def describe(head: bytes) -> str:
    """Say what a file that is no image seems to be.

    Parameters
    ----------
    head : bytes
        The first `HEAD` bytes.

    Returns
    -------
    str
        Such as "a PDF document", or "no image of a known kind".
    """
    for magic, words in _OTHER_MAGIC:
        if head.startswith(magic):
            return words
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis"):
            return "an HEIC photo"
        return "an AVIF picture" if brand in (b"avif", b"avis") else "a video"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page"
    if start.startswith((b"<svg", b"<?xml")):
        return "an XML or SVG file"
    if not any(head):
        return "a file of zeros"
    if all(byte in b"\t\n\r\f\b" or 32 <= byte < 127 for byte in head):
        return "a text file"
    return "no image of a known kind"


def _is_nifti(head: bytes) -> bool:
    if head[4:12] in (b"n+2\x00\r\n\x1a\n", b"ni2\x00\r\n\x1a\n"):
        return True
    return head[344:348] in (b"n+1\x00", b"ni1\x00")


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 560)
    except zlib.error:
        return b""


def _is_bare_dicom(head: bytes) -> bool:
    """Whether it begins with a data element, as DICOM written without its preamble does."""
    if head[:4] in (b"\x02\x00\x00\x00", b"\x02\x00\x01\x00", b"\x02\x00\x02\x00"):
        return head[4:6] in (b"UL", b"OB", b"UI")
    if head[:2] != b"\x08\x00" or len(head) < 16:
        return False
    # Group 0008: explicit VR (two capitals), or a 32-bit length that is short.
    explicit = head[4:6] in (b"UL", b"CS", b"UI", b"SH", b"LO", b"DA", b"TM", b"LT", b"US")
    return explicit or (head[3] == 0 and 0 < int.from_bytes(head[4:8], "little") <= 64)
