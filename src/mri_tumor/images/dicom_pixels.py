"""Decode one frame of a DICOM file, within what its header announces."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mri_tumor.errors import ImageError
from mri_tumor.images.codestream import jpeg2000_size, jpeg_size, rle_is_bounded
from mri_tumor.images.dicom_facts import DicomFacts
from mri_tumor.images.dicom_header import NATIVE, DicomHeader
from mri_tumor.images.messages import not_installed, refusal

_JPEG = "1.2.840.10008.1.2.4."
_BASELINE = _JPEG + "50"
_RLE = "1.2.840.10008.1.2.5"
_JPEG_KINDS = {_JPEG + end for end in ("50", "51", "57", "70", "80", "81")}
_JPEG2000_KINDS = {_JPEG + end for end in ("90", "91", "201", "202", "203")}

# A frame of noise, compressed without loss, may grow a little.
_GROWTH, _HEADERS = 2, 65_536
_FREE_BYTES = 2**28
_END, _PADDING = b"\xff\xd9", 64

_COPY_AGAIN = "Copy or export it again"


def decode_frame(
    header: DicomHeader, facts: DicomFacts, frame: int, *, name: str
) -> npt.NDArray[Any]:
    """Decode one frame.

    Parameters
    ----------
    header : DicomHeader
        The file's header.
    facts : DicomFacts
        How the frame is stored.
    frame : int
        Which frame, from 0.
    name : str
        The file's name, for messages.

    Returns
    -------
    ndarray of int, shape (h, w) or (h, w, 3)
        Values as stored; colour is RGB.

    Raises
    ------
    ImageError
        If the compression is not supported, or the pixels are truncated or damaged.
    """
    syntax = header.transfer_syntax
    native = syntax in NATIVE
    if not native and syntax != _RLE and syntax not in _JPEG_KINDS | _JPEG2000_KINDS:
        raise refusal(
            name,
            "is compressed in a way that is not supported",
            "Decompress it first, for example by gdcmconv --raw",
        )
    data = _native(header, facts, frame, name) if native else _packed(header, facts, frame, name)
    try:
        values = _decode(header, facts, data, name)
    except ImageError:
        raise
    except MemoryError:
        raise refusal(name, "does not fit in memory", "Scale it down") from None
    except Exception:  # noqa: BLE001 - damaged pixels raise nearly anything
        problem = f"has a damaged frame {frame}" if facts.frames > 1 else "has damaged pixel data"
        raise refusal(name, problem, _COPY_AGAIN) from None
    if values.shape[:2] != (facts.rows, facts.columns):
        raise refusal(name, "has pixel data of another size than it says", _COPY_AGAIN)
    return values


def _truncated(name: str) -> ImageError:
    return refusal(name, "is a DICOM file that ends early (truncated)", _COPY_AGAIN)


def _native(header: DicomHeader, facts: DicomFacts, frame: int, name: str) -> bytes:
    samples = 2 if facts.photometric == "YBR_FULL_422" else facts.samples
    length = facts.rows * facts.columns * samples * facts.bits_allocated // 8
    start = (header.pixel_start or 0) + frame * length
    if start + length > header.size:
        raise _truncated(name)
    header.stream.seek(start)
    data = header.stream.read(length)
    # Values of odd length are padded.
    return data + b"\0" * (length % 2)


def _packed(header: DicomHeader, facts: DicomFacts, frame: int, name: str) -> bytes:
    """Return one compressed frame, encapsulated anew on its own."""
    from pydicom.encaps import encapsulate, get_frame

    dataset = header.dataset
    offsets = dataset.get("ExtendedOffsetTable"), dataset.get("ExtendedOffsetTableLengths")
    header.stream.seek(header.pixel_start or 0)
    try:
        data = get_frame(
            header.stream,
            frame,
            number_of_frames=facts.frames,
            extended_offsets=offsets if all(offsets) else None,
        )
    except Exception:  # noqa: BLE001 - damaged offsets raise nearly anything
        raise _truncated(name) from None
    # Items have an even length. Padding would stand in for a last byte that was cut off.
    if not data or (header.transfer_syntax == _RLE and len(data) % 2):
        raise _truncated(name)
    _check_packed(data, header.transfer_syntax, facts, name)
    return bytes(encapsulate([data]))


def _check_packed(data: bytes, syntax: str, facts: DicomFacts, name: str) -> None:
    plane = facts.rows * facts.columns
    raw = plane * facts.samples * facts.bits_allocated // 8
    if syntax == _RLE:
        good = rle_is_bounded(data, segment_bytes=plane, free_bytes=_FREE_BYTES)
    else:
        size = jpeg_size(data) if syntax in _JPEG_KINDS else jpeg2000_size(data)
        good = size == (facts.columns, facts.rows, facts.samples)
        # Decoders fill what is missing with grey. The end marker cannot occur within a scan.
        if good and data.rfind(_END, -_PADDING) < 0:
            raise _truncated(name)
    if not good or len(data) > _GROWTH * raw + _HEADERS:
        raise refusal(name, "has pixel data that do not agree with its tags", _COPY_AGAIN)


def _decode(header: DicomHeader, facts: DicomFacts, data: bytes, name: str) -> npt.NDArray[Any]:
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    # Named, so that a damaged frame is not handed on to a decoder that makes something of it.
    plugin = "pillow" if header.transfer_syntax == _BASELINE else "pylibjpeg"
    if header.transfer_syntax in NATIVE:
        plugin = ""
    elif header.transfer_syntax == _RLE:
        plugin = "pydicom"
    decoder = get_decoder(UID(header.transfer_syntax))
    if plugin and plugin not in decoder.available_plugins:
        raise not_installed(name, "DICOM", ImportError(name=plugin))
    values, _ = decoder.as_array(
        data,
        index=0,
        decoding_plugin=plugin,
        rows=facts.rows,
        columns=facts.columns,
        number_of_frames=1,
        samples_per_pixel=facts.samples,
        photometric_interpretation=facts.photometric,
        planar_configuration=facts.planar,
        bits_allocated=facts.bits_allocated,
        bits_stored=facts.bits_stored,
        pixel_representation=int(facts.signed),
        pixel_keyword="PixelData",
        pixel_vr="OB" if facts.bits_allocated == 8 else "OW",
    )
    return np.asarray(values)
