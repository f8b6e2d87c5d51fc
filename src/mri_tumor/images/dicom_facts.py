"""Check that a DICOM file is an MR image that can be shown, and collect how."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mri_tumor.images.dicom_header import DicomHeader, numbers, text
from mri_tumor.images.limits import MAX_PAGES, check_pixels
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import ReadOptions

# DICOM PS3.3 C.7.3.1.1.1. Only these words are ever quoted: a tag could hold anything.
_MODALITIES = {
    "AU": "audio", "BI": "biomagnetic imaging", "CR": "computed radiography",
    "CT": "computed tomography", "DOC": "a document", "DX": "digital radiography",
    "ECG": "electrocardiography", "EEG": "electroencephalography", "ES": "endoscopy",
    "FID": "spatial fiducials", "IO": "intra-oral radiography", "KO": "a key object selection",
    "MG": "mammography", "NM": "nuclear medicine", "OCT": "optical coherence tomography",
    "OP": "ophthalmic photography", "OT": "another kind", "PR": "a presentation state",
    "PT": "positron emission tomography", "PX": "panoramic radiography", "REG": "a registration",
    "RF": "radio fluoroscopy", "RTDOSE": "a radiotherapy dose", "RTIMAGE": "a radiotherapy image",
    "RTPLAN": "a radiotherapy plan", "RTSTRUCT": "a radiotherapy structure set",
    "SC": "secondary capture", "SEG": "a segmentation", "SM": "slide microscopy",
    "SR": "a structured report", "US": "ultrasound", "XA": "angiography",
    "XC": "a photograph",
}  # fmt: skip

# MR, enhanced MR, enhanced colour MR and legacy converted enhanced MR image storage.
_MR_CLASSES = {f"1.2.840.10008.5.1.4.1.1.4{end}" for end in ("", ".1", ".3", ".4")}

_EXPORT = "Export it again with all tags of its image, or as PNG"


@dataclass(frozen=True)
class DicomFacts:
    """What is needed to decode and show the frames of a file.

    Parameters
    ----------
    rows, columns : int
        Pixels of a frame.
    frames : int
        Number of frames.
    samples : int
        Values per pixel: 1 or 3.
    photometric : str
        What they mean, such as "MONOCHROME2".
    bits_allocated, bits_stored : int
        Bits per value in the file, and those in use.
    signed : bool
        Whether values may be negative.
    planar : int
        0 if the colours of a pixel lie together, 1 if each colour is a plane.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    signed: bool
    planar: int


def why_not_wanted(header: DicomHeader, options: ReadOptions) -> tuple[str, str] | None:
    """Tell why a DICOM object is not an image of the wanted modality.

    Parameters
    ----------
    header : DicomHeader
        The file's header.
    options : ReadOptions
        `allow_modality` is used.

    Returns
    -------
    tuple of str or None
        What it is and what to do about it, as for `refusal`; None if it is wanted.
    """
    if header.is_directory:
        advice = "Pass one of those files, or their folder to read_volume"
        return "is a DICOMDIR, an index of other files", advice
    wanted = options.modalities
    modality = text(header.dataset, "Modality").upper()
    words = _MODALITIES.get(modality)
    ask = " or ".join(sorted(word for word in wanted if word.isidentifier())) or "MR"
    if header.pixel_start is None and words and modality not in wanted:
        problem = f"is a DICOM object of the kind {modality} ({words}), without pixel data"
        return problem, f"Pass an {ask} image"
    if header.float_pixels:
        return "is a parametric map, no picture", "Pass the images it was made from"
    if "*" in wanted or modality in wanted:
        return None
    if not modality and "MR" in wanted and header.sop_class in _MR_CLASSES:
        return None
    advice = (
        f"Pass an {ask} image. In Python, allow_modality={modality if words else '*'!r} reads it "
        "anyway"
    )
    if not modality:
        return "does not say of which modality it is", advice
    what = f"{modality} ({words})" if words else "of another modality"
    return f"is {what}, not {ask}", advice


def facts_of(header: DicomHeader, options: ReadOptions, *, name: str) -> DicomFacts:
    """Collect how the frames of a file are stored.

    Parameters
    ----------
    header : DicomHeader
        The file's header.
    options : ReadOptions
        `max_pixels` is used.
    name : str
        The file's name, for messages.

    Returns
    -------
    DicomFacts
        Checked, so that decoding cannot ask for more than allowed.

    Raises
    ------
    ImageError
        If the pixels or a needed tag are missing or out of range, or the image is too large.
    """
    dataset = header.dataset
    if header.pixel_start is None:
        problem = "is a DICOM file that has no pixel data, or ends before them"
        raise refusal(name, problem, "Copy or export it again")
    if "MOSAIC" in text(dataset, "ImageType").upper().split("\\"):
        raise refusal(
            name,
            "is a mosaic of many slices in one picture",
            "Convert it to NIfTI, for example by dcm2niix",
        )
    photometric = text(dataset, "PhotometricInterpretation").upper()
    rows, columns, allocated = (
        _integer(dataset, word, name) for word in ("Rows", "Columns", "BitsAllocated")
    )
    stored = _integer(dataset, "BitsStored", name, default=allocated)
    samples = _integer(dataset, "SamplesPerPixel", name, default=1)
    signed = _integer(dataset, "PixelRepresentation", name)
    frames = _integer(dataset, "NumberOfFrames", name, default=1) or 1
    if not photometric:
        raise refusal(name, "lacks the tag PhotometricInterpretation", _EXPORT)
    if not (0 < rows < 2**16 and 0 < columns < 2**16):
        raise refusal(name, f"says that it has {columns} x {rows} pixels", _EXPORT)
    check_pixels((columns, rows), name=name, max_pixels=options.max_pixels)
    if allocated not in (8, 16, 32) or not 0 < stored <= allocated or signed not in (0, 1):
        raise refusal(name, f"has pixels of {stored} bits in {allocated}", _EXPORT)
    if samples not in (1, 3) or (samples == 3) != _is_colour(photometric):
        raise refusal(name, "has contradicting tags about colour", _EXPORT)
    if frames > MAX_PAGES:
        raise refusal(name, f"holds {frames:,} frames, more than {MAX_PAGES:,}", "Split the file")
    planar = _integer(dataset, "PlanarConfiguration", name, default=0)
    return DicomFacts(
        rows, columns, frames, samples, photometric, allocated, stored, bool(signed), planar
    )


def _is_colour(photometric: str) -> bool:
    return photometric == "RGB" or photometric.startswith("YBR")


def _integer(dataset: Any, keyword: str, name: str, *, default: int | None = None) -> int:
    values = numbers(dataset, keyword, name=name)
    if not values:
        if default is None:
            raise refusal(name, f"lacks the tag {keyword}", _EXPORT)
        return default
    if not math.isfinite(values[0]) or values[0] != int(values[0]) or values[0] < 0:
        raise refusal(name, f"has a damaged tag {keyword}", "Copy or export it again")
    return int(values[0])


def for_frame(dataset: Any, frame: int, group: str, keyword: str, *, name: str) -> list[float]:
    """Return the numbers of a tag for one frame.

    Parameters
    ----------
    dataset : pydicom Dataset
        The header.
    frame : int
        Which frame, from 0.
    group : str
        Keyword of the functional group that holds the tag in enhanced files.
    keyword : str
        The tag's keyword.
    name : str
        The file's name, for messages.

    Returns
    -------
    list of float
        The frame's own, else the shared, else the file's; empty if there is none.

    Raises
    ------
    ImageError
        If the tag does not hold numbers.
    """
    for item in items_for_frame(dataset, frame, group):
        values = numbers(item, keyword, name=name)
        if values:
            return values
    return []


def items_for_frame(dataset: Any, frame: int, group: str) -> Iterator[Any]:
    """Yield where a frame's tags may be found: its own group, the shared one, the file.

    Parameters
    ----------
    dataset : pydicom Dataset
        The header.
    frame : int
        Which frame, from 0.
    group : str
        Keyword of the functional group.

    Yields
    ------
    pydicom Dataset
        From the most special to the most general.
    """
    for sequence, position in (
        ("PerFrameFunctionalGroupsSequence", frame),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        try:
            inner = dataset.get(sequence)[position].get(group)
            if inner:
                yield inner[0]
        except Exception:  # noqa: BLE001, S112 - no such group, or a damaged one
            continue
    yield dataset
