"""The door for image files: whatever the kind, grey pixels or a clear error."""

from collections.abc import Collection
from pathlib import Path

from mri_tumor.errors import ImageError
from mri_tumor.images.dicom import open_dicom, read_dicom
from mri_tumor.images.intensity import Grey, finished
from mri_tumor.images.limits import MAX_BYTES, MAX_PIXELS, MAX_VOLUME_BYTES
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import Convention, Plane, ReadOptions, Window, check_count
from mri_tumor.images.quiet import quiet_decoders
from mri_tumor.images.raster import has_pages, read_raster
from mri_tumor.images.series import open_series
from mri_tumor.images.sources import Opened, Source, Upload, is_folder, opened
from mri_tumor.images.stacks import file_kind, open_stack
from mri_tumor.images.volume import Volume

# What has no position that reading would move.
_FIXED = str | Path | bytes | bytearray | memoryview | Upload


def read_image(
    source: Source,
    *,
    name: str | None = None,
    page: int | None = None,
    plane: Plane | None = None,
    convention: Convention = "radiological",
    volume: int | None = None,
    window: Window = "auto",
    voi: int = 0,
    allow_modality: str | Collection[str] = "MR",
    square_pixels: bool = True,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    max_volume_bytes: int = MAX_VOLUME_BYTES,
    in_memory: bool = False,
) -> Grey:
    """Read one image of a file as grey pixels.

    The kind is told from the content, never from the name. Colour becomes luma (ITU-R
    BT.601), transparency is laid on black, a camera's orientation is applied. Images of more
    than 8 bits become 8-bit by `window`; a PNG, JPEG, TIFF, BMP, WebP or GIF of 8 bits is
    left as it is. A DICOM image is shown as by a viewer: modality table or slope and
    intercept, then its own window (linear, exact or sigmoid) or table, and MONOCHROME1
    inverted. A NIfTI slice is taken from the volume turned to canonical axes, with NaN as
    black; black and white are chosen once for the volume.

    Parameters
    ----------
    source : str, path, bytes, upload or binary file object
        PNG, JPEG, TIFF, BMP, WebP, GIF, DICOM or NIfTI (plain or gzip).
    name : str, optional
        What messages call it, such as the name of an upload; by default its path.
    page : int, optional
        Which page of a TIFF, frame of an animation or of a DICOM file, or slice of a NIfTI
        volume, from 0. A file with several is refused without it, rather than guessed.
        NIfTI slices run from inferior to superior, posterior to anterior or left to right.
    plane : {"axial", "coronal", "sagittal"}, optional
        How to cut a NIfTI volume; axial by default.
    convention : {"radiological", "neurological"}, default="radiological"
        Whether the left of an axial or coronal NIfTI slice is the patient's right or left.
        The head is upright, the face up in axial slices and to the left in sagittal ones.
    volume : int, optional
        Which volume of a NIfTI file of four dimensions, from 0.
    window : {"auto", "percentile", "range"} or (float, float), default="auto"
        What becomes black and white in images of more than 8 bits. "auto": the window or
        table of a DICOM file, for which one that leaves a single grey counts as none; else
        "percentile", the minimum and the 99.9th percentile. "range": minimum and maximum. A
        pair: these intensities. If all values are equal the image is black. Several slices
        or frames share percentiles, taken from 16 of them.
    voi : int, default=0
        Which of several windows of a DICOM file.
    allow_modality : str or collection of str, default="MR"
        Accepted values of the DICOM tag Modality; "*" accepts any.
    square_pixels : bool, default=True
        Resample DICOM and NIfTI slices whose pixels are not square, bilinearly, to the finer
        of the two spacings, so that the head keeps its shape.
    max_pixels : int, default=67_108_864
        An image with more pixels is refused before it is decoded.
    max_bytes : int, default=536_870_912
        A larger file (other than NIfTI), upload or inflated DICOM file is refused.
    max_volume_bytes : int, default=4_294_967_296
        A NIfTI file that needs more, once unpacked, is refused before it is unpacked.
    in_memory : bool, default=False
        Unpack a large NIfTI file in memory, where a scratch file would be used else.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Grey pixels, upright, both sides at least 16.

    Raises
    ------
    ImageError
        If there is no such file, or it is a folder, empty, truncated, damaged, too large,
        too small, animated, no image, or not of MR. The message names the file, says what is
        wrong and what to do, and never quotes what the file holds.
    ParameterError
        If an option is out of range.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> path = make_phantoms(1, size=64, folder="scans").paths[0]
    >>> pixels = read_image(path)
    >>> pixels.shape, pixels.dtype.name
    ((64, 64), 'uint8')

    A slice of a volume:

    >>> import nibabel
    >>> import numpy as np
    >>> values = np.random.default_rng(0).integers(0, 900, (40, 48, 32), dtype=np.int16)
    >>> nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), "brain.nii.gz")
    >>> read_image("brain.nii.gz", plane="axial", page=16).shape
    (48, 40)
    """
    check_count("page", page)
    options = ReadOptions(
        plane=plane,
        convention=convention,
        volume=volume,
        window=window,
        voi=voi,
        allow_modality=allow_modality,
        square_pixels=square_pixels,
        max_pixels=max_pixels,
        max_bytes=max_bytes,
        max_volume_bytes=max_volume_bytes,
        in_memory=in_memory,
    )
    with quiet_decoders(), opened(source, name=name, max_bytes=max_bytes) as file:
        return finished(_read_one(file, page, options), name=file.name)


def _read_one(file: Opened, page: int | None, options: ReadOptions) -> Grey:
    kind = file_kind(file, options)
    if kind == "DICOM":
        return read_dicom(file, page=page, options=options)
    if kind == "NIfTI":
        return _read_slice(file, page, options)
    return read_raster(
        file.stream,
        kind,
        name=file.name,
        page=page,
        window=options.window,
        max_pixels=options.max_pixels,
    )


def _read_slice(file: Opened, page: int | None, options: ReadOptions) -> Grey:
    from mri_tumor.images.nifti import open_nifti

    with open_nifti(file, options) as stack:
        if page is None and len(stack) > 1:
            raise refusal(
                file.name,
                f"holds {len(stack)} {stack.plane} slices, and which to read is not said",
                f"Pass page={len(stack) // 2} for the middle one, or read them by read_volume",
            )
        if page is not None and page >= len(stack):
            problem = f"has no page {page}: it holds {len(stack)} slices"
            raise refusal(file.name, problem, "Count slices from 0")
        return stack.load(page or 0)


def read_volume(
    source: Source,
    *,
    name: str | None = None,
    plane: Plane | None = None,
    convention: Convention = "radiological",
    volume: int | None = None,
    series: int | None = None,
    window: Window = "auto",
    voi: int = 0,
    allow_modality: str | Collection[str] = "MR",
    square_pixels: bool = True,
    max_pixels: int = MAX_PIXELS,
    max_bytes: int = MAX_BYTES,
    max_volume_bytes: int = MAX_VOLUME_BYTES,
    in_memory: bool = False,
) -> Volume:
    """Open a scan of several slices, which are read as they are asked for.

    A folder is a DICOM series: its files (and those of the folders in it) ordered along the
    normal of the slices, or by InstanceNumber where positions are missing or the slices
    are not parallel; shown as acquired. A NIfTI file is cut in the wanted plane. The frames
    of a DICOM file and the pages of a TIFF or an animation keep their order. Any other image
    is a volume of one slice. For single files, slice `k` is what `read_image` gives for
    ``page=k``.

    Parameters
    ----------
    source : str, path, bytes or binary file object
        A folder of DICOM files, or any file that `read_image` reads.
    name, plane, convention, window, voi, allow_modality, square_pixels
        As in `read_image`. `plane` of a DICOM series can only confirm its own plane.
    volume : int, optional
        Which volume of a NIfTI file of four dimensions, or which of several images at each
        place of a DICOM series (echoes, b-values, times), from 0.
    series : int, optional
        Which series of a folder that holds several, from 0, ordered by SeriesNumber.
    max_pixels, max_bytes, max_volume_bytes, in_memory
        As in `read_image`.

    Returns
    -------
    Volume
        Its slices are uint8 (h, w).

    Raises
    ------
    ImageError
        As in `read_image`; or if a folder holds no MR image, or several series or volumes
        and no choice is made. Slices are decoded later, so reading one may raise it too.
    ParameterError
        If an option is out of range.

    Examples
    --------
    >>> import nibabel
    >>> import numpy as np
    >>> values = np.random.default_rng(0).integers(0, 900, (40, 48, 32), dtype=np.int16)
    >>> nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), "brain.nii.gz")
    >>> with read_volume("brain.nii.gz", plane="sagittal") as scan:
    ...     len(scan), scan[20].shape
    (40, (32, 48))
    """
    options = ReadOptions(
        plane=plane,
        convention=convention,
        volume=volume,
        series=series,
        window=window,
        voi=voi,
        allow_modality=allow_modality,
        square_pixels=square_pixels,
        max_pixels=max_pixels,
        max_bytes=max_bytes,
        max_volume_bytes=max_volume_bytes,
        in_memory=in_memory,
    )
    with quiet_decoders():
        folder = is_folder(source)
        if folder:
            return open_series(folder, options)
        return open_stack(source, name=name, options=options)


def is_volume(source: Source, *, max_bytes: int = MAX_BYTES) -> bool:
    """Tell whether a scan holds several slices, so that `read_volume` is the way to it.

    Only headers are read.

    Parameters
    ----------
    source : str, path, bytes or seekable binary file object
        A file or a folder; a file object is put back to where it stood.
    max_bytes : int, default=536_870_912
        As in `read_image`.

    Returns
    -------
    bool
        True for a folder, NIfTI, and several frames or pages. False for one image, and for
        what cannot be read: `read_image` says why.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> is_volume(make_phantoms(1, size=64, folder="scans").paths[0])
    False
    """
    if is_folder(source):
        return True
    options = ReadOptions(max_bytes=max_bytes, allow_modality="*")
    before = None if isinstance(source, _FIXED) else source
    position = before.tell() if before is not None and hasattr(before, "tell") else None
    try:
        with quiet_decoders(), opened(source, max_bytes=max_bytes) as file:
            kind = file_kind(file, options)
            if kind == "DICOM":
                return open_dicom(file, options).facts.frames > 1
            return kind == "NIfTI" or has_pages(file.stream, kind, name=file.name)
    except ImageError:
        return False
    finally:
        if before is not None and position is not None and hasattr(before, "seek"):
            before.seek(position)
