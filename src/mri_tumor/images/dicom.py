"""Read a DICOM file: one image, or the frames of one."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mri_tumor.images.dicom_display import (
    has_own_window,
    measured,
    modality_values,
    rescaling,
    show,
)
from mri_tumor.images.dicom_facts import (
    DicomFacts,
    facts_of,
    for_frame,
    why_not_wanted,
)
from mri_tumor.images.dicom_header import DicomHeader, numbers, read_header
from mri_tumor.images.dicom_pixels import decode_frame
from mri_tumor.images.geometry import slice_normal, spacing_of, with_square_pixels
from mri_tumor.images.intensity import Grey, common_levels, spread, thinned
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import ReadOptions
from mri_tumor.images.sources import Opened

Values = npt.NDArray[Any]
Levels = tuple[float, float]


@dataclass(frozen=True)
class DicomFile:
    """An open DICOM file of MR images.

    Parameters
    ----------
    header : DicomHeader
        Its header.
    facts : DicomFacts
        How its frames are stored.
    name : str
        What messages call it.
    options : ReadOptions
        How to read it.
    """

    header: DicomHeader
    facts: DicomFacts
    name: str
    options: ReadOptions

    def spacing(self, frame: int = 0) -> tuple[float, float] | None:
        """Return the distance of rows and of columns in mm, None if it does not tell."""
        dataset, name = self.header.dataset, self.name
        spacing = for_frame(dataset, frame, "PixelMeasuresSequence", "PixelSpacing", name=name)
        if not spacing:
            spacing = numbers(dataset, "PixelAspectRatio", name=name)
        return spacing_of(spacing)

    def distance(self) -> float | None:
        """Return the distance of neighbouring slices in mm, None if it does not tell."""
        for keyword in ("SpacingBetweenSlices", "SliceThickness"):
            found = for_frame(
                self.header.dataset, 0, "PixelMeasuresSequence", keyword, name=self.name
            )
            if found and math.isfinite(found[0]) and found[0] > 0:
                return found[0]
        return None

    def normal(self, frame: int = 0) -> npt.NDArray[np.float64] | None:
        """Return the direction in which its slices are stacked, None if it does not tell."""
        return slice_normal(
            for_frame(
                self.header.dataset,
                frame,
                "PlaneOrientationSequence",
                "ImageOrientationPatient",
                name=self.name,
            )
        )

    def values(self, frame: int) -> tuple[Values, npt.NDArray[np.bool_] | None]:
        """Decode a frame: its modality values, and where they are no measurement."""
        stored = decode_frame(self.header, self.facts, frame, name=self.name)
        if self.facts.photometric == "PALETTE COLOR":
            return _painted(stored, self.header.dataset, self.name), None
        if stored.ndim == 3:
            return stored, None
        return modality_values(stored, self.header.dataset, frame, name=self.name)

    def needs_levels(self, frame: int) -> bool:
        """Whether black and white must be chosen from the values of the frame."""
        if self.facts.samples == 3 or self.facts.photometric == "PALETTE COLOR":
            return False
        if self.options.window != "auto":
            return isinstance(self.options.window, str)
        return not has_own_window(self.header.dataset, frame, name=self.name)

    def sample(self, frame: int) -> Values:
        """Return some of the measured values of a frame, evenly spread."""
        return thinned(measured(*self.values(frame)))

    def plain_levels(self) -> Levels | None:
        """Return black and white of pictures that are 8-bit already."""
        facts = self.facts
        dataset = self.header.dataset
        changed = rescaling(dataset, 0, name=self.name) or "ModalityLUTSequence" in dataset
        if self.options.window != "auto" or facts.bits_stored > 8 or facts.signed or changed:
            return None
        return 0.0, float(2**facts.bits_stored - 1)

    def levels(self) -> Levels | None:
        """Return black and white of all frames, where they do not tell themselves."""
        frames = self.facts.frames
        if not any(self.needs_levels(frame) for frame in range(frames)):
            return None
        plain = self.plain_levels()
        if plain or frames == 1:
            return plain
        return common_levels(
            (self.sample(frame) for frame in spread(frames)),
            name=self.name,
            window=self.options.window,
        )

    def grey(self, frame: int, levels: Levels | None) -> Grey:
        """Read a frame as it is shown."""
        values, padding = self.values(frame)
        grey = show(
            values,
            self.header.dataset,
            self.facts,
            frame,
            name=self.name,
            options=self.options,
            levels=levels,
            padding=padding,
        )
        if not self.options.square_pixels:
            return grey
        limit = self.options.max_pixels
        return with_square_pixels(grey, self.spacing(frame), name=self.name, max_pixels=limit)


def open_dicom(file: Opened, options: ReadOptions) -> DicomFile:
    """Read the header of a DICOM file and check that it holds MR images.

    Parameters
    ----------
    file : Opened
        The file, which must stay open as long as the result is used.
    options : ReadOptions
        How to read it.

    Returns
    -------
    DicomFile
        The file, of which no pixel is read yet.

    Raises
    ------
    ImageError
        If it is damaged, no image, or of another modality.
    """
    header = read_header(file, max_bytes=options.max_bytes)
    unwanted = why_not_wanted(header, options)
    if unwanted:
        raise refusal(file.name, *unwanted)
    facts = facts_of(header, options, name=file.name)
    return DicomFile(header, facts, file.name, options)


def read_dicom(file: Opened, *, page: int | None, options: ReadOptions) -> Grey:
    """Read one image of a DICOM file.

    Parameters
    ----------
    file : Opened
        The file, its stream at the beginning.
    page : int or None
        Which frame, from 0; needed where there are several.
    options : ReadOptions
        How to read it.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        As a viewer shows it.

    Raises
    ------
    ImageError
        If it cannot be read, is no MR image, or has several frames and `page` is None.
    """
    dicom = open_dicom(file, options)
    frames = dicom.facts.frames
    if page is None and frames > 1:
        raise refusal(
            file.name,
            f"holds {frames} frames, and which to read is not said",
            "Pass page=0 for the first, or read them all by read_volume",
        )
    if page is not None and page >= frames:
        raise refusal(file.name, f"has no page {page}: it holds {frames}", "Count pages from 0")
    return dicom.grey(page or 0, dicom.levels())


def _painted(stored: Values, dataset: Any, name: str) -> Values:
    from pydicom.pixels import apply_color_lut

    try:
        colours = np.asarray(apply_color_lut(stored, dataset))
    except Exception:  # noqa: BLE001 - damaged palettes raise nearly anything
        raise refusal(name, "has a damaged palette", "Copy or export it again") from None
    if colours.dtype != np.uint8:
        colours = (colours >> 8).astype(np.uint8)
    return colours[..., :3]
