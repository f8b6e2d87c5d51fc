"""Read the size of a compressed picture from its own header, before it is decoded.

A DICOM file states its size twice: in its tags and within the compressed picture. Decoders
trust the latter, so a small file with modest tags could fill the memory.
"""

import struct
from itertools import pairwise

# Start-of-frame markers (ITU-T T.81, table B.1; T.87 for JPEG-LS), less DHT, JPG and DAC.
_SOF = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}


def jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    """Return the size that a JPEG or JPEG-LS picture declares.

    Parameters
    ----------
    data : bytes
        The compressed picture.

    Returns
    -------
    tuple of int or None
        Width, height and number of components; None if it is no such picture.

    Examples
    --------
    >>> jpeg_size(bytes.fromhex("ffd8 ffc0 000b 08 0040 0030 01 01 11 00"))
    (48, 64, 1)
    """
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _SOF:
            frame = data[at + 5 : at + 10]
            if len(frame) < 5:
                return None
            height, width, components = struct.unpack(">HHB", frame)
            return width, height, components
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or marker == 0xDA:  # pixels before any size
            return None
        at += 2 + length
    return None


def jpeg2000_size(data: bytes) -> tuple[int, int, int] | None:
    """Return the size that a JPEG 2000 picture declares.

    Parameters
    ----------
    data : bytes
        The codestream, bare or in a JP2 file (ISO/IEC 15444-1, A.5.1).

    Returns
    -------
    tuple of int or None
        Width, height and number of components; None if it is no such picture.
    """
    start = 0
    if data[:4] != b"\xff\x4f\xff\x51":
        if data[4:8] != b"jP  " and data[:4] != b"\x0d\x0a\x87\x0a":
            return None
        start = data.find(b"\xff\x4f\xff\x51")
        if start < 0:
            return None
    header = data[start + 8 : start + 42]
    if len(header) < 34:
        return None
    right, bottom, left, top, *_tiles, components = struct.unpack(">8IH", header)
    return right - left, bottom - top, components


def rle_is_bounded(data: bytes, *, segment_bytes: int, free_bytes: int) -> bool:
    """Tell whether a DICOM RLE picture unpacks to about what it should.

    Parameters
    ----------
    data : bytes
        The compressed picture, with its header of 64 bytes (DICOM PS3.5, annex G).
    segment_bytes : int
        Bytes that each of its segments should unpack to.
    free_bytes : int
        What it may unpack to without being counted.

    Returns
    -------
    bool
        Whether no segment unpacks to more than one run above `segment_bytes`.
    """
    # Two bytes make 128 at most.
    if len(data) * 64 <= free_bytes:
        return True
    count = min(15, int.from_bytes(data[:4], "little"))
    starts = [*struct.unpack(f"<{count}I", data[4 : 4 + 4 * count]), len(data)]
    for start, end in pairwise(starts):
        size, at = 0, start
        while at < end:
            head = data[at]
            size += head + 1 if head < 128 else (257 - head if head > 128 else 0)
            at += head + 2 if head < 128 else (2 if head > 128 else 1)
            if size > segment_bytes + 128:
                return False
    return True
