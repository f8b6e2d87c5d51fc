"""Read the part of a DICOM file before its pixels, without anything about the patient.

Only the tags named here are kept in memory, so no identifier can reach a message, a log or a
result. What a file may ask for is bounded: bytes, elements and the size of deflated data.
"""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

from mri_tumor.errors import ImageError
from mri_tumor.images.messages import not_installed, refusal
from mri_tumor.images.sources import Opened

KEYWORDS = (
    # What it is
    "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality",
    # Where it belongs
    "SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber", "EchoNumbers",
    "TemporalPositionIdentifier", "DiffusionBValue", "ImagePositionPatient",
    "ImageOrientationPatient", "SpacingBetweenSlices", "SliceThickness",
    # How its pixels are stored
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "Rows", "Columns", "PixelSpacing", "PixelAspectRatio", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    # How they are shown
    "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept",
    "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip

IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
NATIVE = (IMPLICIT, EXPLICIT, BIG_ENDIAN)

_DICOMDIR = "1.2.840.10008.1.3.10"
_PIXEL_DATA, _FLOAT_PIXELS = 0x7FE00010, (0x7FE00008, 0x7FE00009)
_LONG_VR = (b"OB", b"OW", b"UN", b"OF", b"OD", b"OL", b"OV")
# An enhanced file of a thousand frames makes some 200,000 reads; this many take seconds.
_MAX_READS = 500_000

_COPY_AGAIN = "Copy or export it again"


@dataclass(frozen=True)
class DicomHeader:
    """What a DICOM file says about its pixels.

    Parameters
    ----------
    stream : binary file object
        Where the pixels are.
    size : int
        Bytes in the stream.
    dataset : pydicom Dataset
        The tags of `KEYWORDS` that are there.
    transfer_syntax : str
        UID of how the pixels are encoded.
    sop_class : str
        UID of what kind of object it is; "" if it does not say.
    pixel_start : int or None
        Where the pixel data begin in the stream; None if there are none.
    float_pixels : bool
        Whether the pixel data are floats.
    """

    stream: IO[bytes]
    size: int
    dataset: Any
    transfer_syntax: str
    sop_class: str
    pixel_start: int | None
    float_pixels: bool = False

    @property
    def is_directory(self) -> bool:
        """Whether it is a DICOMDIR: an index of other files."""
        return self.sop_class == _DICOMDIR


class _Metered:
    """A stream that gives out after too many reads: a header of endless small parts."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name, self._left = stream, name, _MAX_READS
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise refusal(self._name, "has a header of too many parts", _COPY_AGAIN)
        return self._stream.read(size)


def read_header(file: Opened, *, max_bytes: int) -> DicomHeader:
    """Read the header of a DICOM file.

    Parameters
    ----------
    file : Opened
        The file, its stream at the beginning.
    max_bytes : int
        Most bytes that a deflated file may unpack to.

    Returns
    -------
    DicomHeader
        What it says.

    Raises
    ------
    ImageError
        If it is damaged.
    """
    try:
        return _read_header(file, max_bytes)
    except ImageError:
        raise
    except MemoryError:
        raise refusal(file.name, "has a header that does not fit in memory", _COPY_AGAIN) from None
    except ImportError as error:
        raise not_installed(file.name, "DICOM", error) from None
    except Exception:  # noqa: BLE001 - damaged headers raise nearly anything
        # The cause is dropped on purpose: it may quote the header.
        problem = "is a DICOM file with a damaged header"
        raise refusal(file.name, problem, _COPY_AGAIN) from None


def _read_header(file: Opened, max_bytes: int) -> DicomHeader:
    from pydicom.datadict import tag_for_keyword
    from pydicom.filereader import read_dataset, read_preamble

    # Not dcmread: it inflates without a bound, and keeps the patient's tags.
    metered: Any = _Metered(file.stream, file.name)
    read_preamble(metered, force=True)
    meta = read_dataset(metered, False, True, stop_when=lambda tag, _vr, _n: tag.group != 2)
    syntax = str(meta.get("TransferSyntaxUID") or "")
    stream, size, start = file.stream, file.size, file.stream.tell()
    if syntax == DEFLATED:
        stream = _inflated(stream, file.name, max_bytes)
        size, start, syntax = len(stream.getvalue()), 0, EXPLICIT
        metered = _Metered(stream, file.name)
    if not syntax:
        syntax = _guess_syntax(stream, start)
    dataset = read_dataset(
        metered,
        syntax == IMPLICIT,
        syntax != BIG_ENDIAN,
        stop_when=lambda tag, _vr, _n: tag == _PIXEL_DATA or tag in _FLOAT_PIXELS,
        specific_tags=[tag_for_keyword(word) for word in KEYWORDS],
    )
    tag, pixel_start = _pixel_start(stream, big_endian=syntax == BIG_ENDIAN)
    sop_class = meta.get("MediaStorageSOPClassUID") or dataset.get("SOPClassUID") or ""
    return DicomHeader(
        stream, size, dataset, syntax, str(sop_class), pixel_start, tag in _FLOAT_PIXELS
    )


def _inflated(stream: IO[bytes], name: str, max_bytes: int) -> io.BytesIO:
    unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(), max_bytes + 1)
    if len(unpacked) > max_bytes:
        raise refusal(
            name,
            f"unpacks to more than the limit of {max_bytes:,} bytes",
            "Give a smaller file, or raise max_bytes if you trust it",
        )
    return io.BytesIO(unpacked)


def _guess_syntax(stream: IO[bytes], start: int) -> str:
    """Tell the encoding of a file that does not say, by its first element."""
    stream.seek(start)
    head = stream.read(6)
    stream.seek(start)
    if not head[4:6].isalpha():
        return IMPLICIT
    # The first groups are small numbers, which look large the wrong way round.
    return EXPLICIT if int.from_bytes(head[:2], "little") < 0x0400 else BIG_ENDIAN


def _pixel_start(stream: IO[bytes], *, big_endian: bool) -> tuple[int, int | None]:
    """Return the tag at which the header ended, and where its value begins."""
    head = stream.read(8)
    if len(head) < 8:
        return 0, None
    order: Literal["big", "little"] = "big" if big_endian else "little"
    tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
    if head[4:6] in _LONG_VR:
        stream.read(4)
    return tag, stream.tell()


def numbers(dataset: Any, keyword: str, *, name: str) -> list[float]:
    """Return the numbers of a tag.

    Parameters
    ----------
    dataset : pydicom Dataset
        A header or an item of one.
    keyword : str
        The tag's keyword.
    name : str
        The file's name, for messages.

    Returns
    -------
    list of float
        Empty if the tag is missing or empty.

    Raises
    ------
    ImageError
        If the tag does not hold numbers. Its value is not quoted.
    """
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return []
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return [float(part) for part in value if part not in (None, "")]
        return [float(value)]
    except Exception:  # noqa: BLE001 - a damaged value raises nearly anything
        raise refusal(name, f"has a damaged tag {keyword}", _COPY_AGAIN) from None


def text(dataset: Any, keyword: str) -> str:
    """Return the text of a tag, "" where it is missing or damaged.

    Parameters
    ----------
    dataset : pydicom Dataset
        A header or an item of one.
    keyword : str
        The tag's keyword.

    Returns
    -------
    str
        Several values are joined by a backslash, as in the file.
    """
    try:
        value = dataset.get(keyword)
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return "\\".join(str(part) for part in value)
        return "" if value is None else str(value).strip()
    except Exception:  # noqa: BLE001 - a damaged value raises nearly anything
        return ""
