"""Open one file of several slices, frames or pages as a volume."""

import threading
from contextlib import ExitStack
from pathlib import Path

from mri_tumor.images.dicom import open_dicom
from mri_tumor.images.geometry import plane_of
from mri_tumor.images.intensity import Grey
from mri_tumor.images.messages import refusal
from mri_tumor.images.nifti import open_nifti
from mri_tumor.images.options import ReadOptions
from mri_tumor.images.raster import open_pages
from mri_tumor.images.sniffing import HEAD, describe, sniff
from mri_tumor.images.sources import Opened, Source, Upload, check_bytes, opened
from mri_tumor.images.volume import Volume


def file_kind(file: Opened, options: ReadOptions) -> str:
    """Tell the kind of an open file, or refuse it.

    Parameters
    ----------
    file : Opened
        The file, whose stream is left at its beginning.
    options : ReadOptions
        `max_bytes` and `max_volume_bytes` are used.

    Returns
    -------
    str
        As `sniff`.

    Raises
    ------
    ImageError
        If it is no image, or too large.
    """
    head = file.stream.read(HEAD)
    file.stream.seek(0)
    kind = sniff(head)
    if kind is None:
        raise refusal(
            file.name,
            f"is {describe(head)}",
            "Pass a PNG, JPEG, TIFF, BMP, WebP, GIF, DICOM or NIfTI file",
        )
    # A volume is read in pieces; all else passes through memory.
    limit = options.max_volume_bytes if kind == "NIfTI" else options.max_bytes
    check_bytes(file, limit)
    return kind


def open_stack(source: Source, *, name: str | None, options: ReadOptions) -> Volume:
    """Open a file as a volume.

    Parameters
    ----------
    source : str, path, bytes or binary file object
        Any image file.
    name : str, optional
        What messages call it.
    options : ReadOptions
        How to read it.

    Returns
    -------
    Volume
        Of one slice or more; it keeps the file open as long as it needs it.

    Raises
    ------
    ImageError
        If it cannot be read, or is no MR image.
    """
    with ExitStack() as stack:
        file = stack.enter_context(opened(source, name=name, max_bytes=options.max_bytes))
        kind = file_kind(file, options)
        if kind == "NIfTI":
            return open_nifti(file, options)
        volume = _frames if kind == "DICOM" else _pages
        # The file is closed here if this fails, else by the volume.
        return volume(file, kind, options, stack)


def open_frames(path: Path | Upload, options: ReadOptions) -> Volume:
    """Open the frames of a DICOM file as a volume; see `open_stack`."""
    return open_stack(path, name=None, options=options)


def _frames(file: Opened, kind: str, options: ReadOptions, stack: ExitStack) -> Volume:
    dicom = open_dicom(file, options)
    levels = dicom.levels()
    normal, spacing = dicom.normal(), dicom.spacing()
    plane = None if normal is None else plane_of(normal)
    if options.plane and options.plane != plane:
        raise refusal(
            file.name,
            f"was acquired in the {plane} plane" if plane else "does not tell its plane",
            f"Leave the option plane out, or convert it to NIfTI for {options.plane} slices",
        )
    lock = threading.Lock()

    def load(number: int) -> Grey:
        # The frames share one stream, and its position.
        with lock:
            return dicom.grey(number, levels)

    between = dicom.distance()
    if spacing and options.square_pixels:
        spacing = (min(spacing), min(spacing))
    return Volume(
        name=file.name,
        kind=kind,
        count=dicom.facts.frames,
        plane=plane,
        spacing=(between, *spacing) if between and spacing else None,
        load=load,
        release=stack.pop_all().close,
    )


def _pages(file: Opened, kind: str, options: ReadOptions, stack: ExitStack) -> Volume:
    count, read = open_pages(
        file.stream,
        kind,
        name=file.name,
        window=options.window,
        max_pixels=options.max_pixels,
    )
    lock = threading.Lock()

    def load(number: int) -> Grey:
        with lock:
            return read(number)

    return Volume(name=file.name, kind=kind, count=count, load=load, release=stack.pop_all().close)
