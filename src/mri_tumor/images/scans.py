"""What the files of a tree are: single images, and volumes that are more than one slice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import ImageError
from mri_tumor.images.limits import MAX_SERIES_FILES
from mri_tumor.images.listing import list_images
from mri_tumor.images.options import Plane, ReadOptions
from mri_tumor.images.quiet import quiet_decoders
from mri_tumor.images.reading import is_volume, read_image, read_volume
from mri_tumor.images.series import Series, series_of
from mri_tumor.images.sniffing import HEAD, sniff
from mri_tumor.images.stream import Picture

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.images.listing import Skip
    from mri_tumor.images.sources import Upload
    from mri_tumor.images.volume import Volume

# Kinds of files that may hold several pages or frames.
_PAGED = frozenset({"TIFF", "GIF", "WebP"})


@dataclass(frozen=True, eq=False)
class Slice(Picture):
    """One slice of a volume.

    Parameters
    ----------
    scan : str
        What the volume is called: its file or folder.
    position : int
        Which slice, from 0.
    count : int
        Slices of the volume.
    spacing : float or None
        Distance of two slices in mm, where it is known.
    """

    scan: str
    position: int
    count: int
    spacing: float | None


@dataclass(frozen=True, eq=False)
class Scan:
    """An image, or a volume that is opened when its turn comes.

    Parameters
    ----------
    name : str
        Its file, or the folder of a series.
    open : callable or None
        Opens the volume; None for an image.
    read : callable or None
        Reads the image, where its name is not its path.
    files : tuple of str
        Of a series in a folder its files, in the order of the slices.
    """

    name: str
    open: Callable[[], Volume] | None = None
    read: Callable[[], NDArray[np.uint8]] | None = None
    files: tuple[str, ...] = ()

    def pictures(self) -> Iterator[Picture]:
        """Yield the image, or the slices of the volume; one that cannot be opened as itself."""
        if self.open is None:
            yield Picture(self.name, self.read or partial(read_image, self.name))
            return
        try:
            volume = self.open()
        except ImageError as error:
            yield Picture(self.name, partial(_raise, error))
            return
        spacing = volume.spacing[0] if volume.spacing else None
        files = volume.files or (self.name,) * len(volume)
        for at in range(len(volume)):
            read = partial(volume.__getitem__, at)
            yield Slice(files[at], read, self.name, at, len(volume), spacing)


def find_scans(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    plane: Plane | None = None,
    on_skip: Skip | None = None,
) -> Iterator[Scan]:
    """Yield the images and volumes of files and folders, in a fixed order, as they are found.

    A volume is a NIfTI file, a file of several frames or pages, or two or more DICOM images of
    one series that lie in one folder. DICOM images that cannot be put in order (several at each
    place, or with a damaged header) are images by themselves. Files and headers of one folder
    are in memory at a time.

    Parameters
    ----------
    inputs : iterable of path
        Files and folders. One that does not exist is passed on, so that it gets its row.
    plane : {"axial", "coronal", "sagittal"}, optional
        How to cut NIfTI volumes; axial by default.
    on_skip : callable, optional
        As in `list_images`.

    Yields
    ------
    Scan
        An image or a volume.

    Raises
    ------
    ImageError
        If a folder cannot be read and `on_skip` is None.
    """
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            yield from _in_tree(path, plane, on_skip)
        else:
            yield _alone(path, _kind(path), plane)


def scans_among(files: Sequence[Path], *, plane: Plane | None = None) -> Iterator[Scan]:
    """Yield the images and volumes among some files, as `find_scans` finds them in a tree.

    Parameters
    ----------
    files : sequence of Path
        As `list_images` yields them. DICOM images of one folder make volumes, so all of them
        must be there.
    plane : {"axial", "coronal", "sagittal"}, optional
        How to cut NIfTI volumes; axial by default.

    Yields
    ------
    Scan
        An image or a volume.
    """
    kinds = {path: _kind(path) for path in files}
    # A link may lead to another folder of the tree, so it is no part of a series here.
    dicom = {path for path in files if kinds[path] == "DICOM" and not path.is_symlink()}
    folders: dict[Path, list[Path]] = {}
    for path in files:
        if path in dicom:
            folders.setdefault(path.parent, []).append(path)
    for path in files:
        if path not in dicom:
            yield _alone(path, kinds[path], plane)
        elif path == folders[path.parent][0]:
            yield from _series_and_loose(path.parent, folders[path.parent])


def uploaded_scans(
    uploads: Sequence[Upload], *, plane: Plane | None = None, **limits: int
) -> Iterator[Scan]:
    """Yield the images and volumes among files in memory; nothing is ever written.

    DICOM images of one series are a volume, whatever the folders they come from. They take the
    place of the first of them.

    Parameters
    ----------
    uploads : sequence of Upload
        The files.
    plane : {"axial", "coronal", "sagittal"}, optional
        How to cut NIfTI volumes; axial by default.
    **limits
        `max_pixels`, `max_bytes` and `max_volume_bytes`, as in `read_image`.

    Yields
    ------
    Scan
        An image or a volume; a file that cannot be read is an image that says so when read.
    """
    kinds = [sniff(upload.data[:HEAD]) for upload in uploads]
    dicom = [upload for upload, kind in zip(uploads, kinds, strict=True) if kind == "DICOM"]
    told = False
    for upload, kind in zip(uploads, kinds, strict=True):
        if kind != "DICOM":
            yield _upload(upload, kind, plane, limits)
        elif not told:
            told = True
            yield from _uploaded_series(dicom, limits)


def _uploaded_series(files: Sequence[Upload], limits: dict[str, int]) -> Iterator[Scan]:
    volumes: list[Series] = []
    loose = list(files)
    if 1 < len(files) <= MAX_SERIES_FILES:
        with quiet_decoders():
            options = ReadOptions(in_memory=True, **limits)  # type: ignore[arg-type]
            volumes, loose = series_of(files, options, name="the series")
    for number, volume in enumerate(volumes):
        yield Scan("series" if len(volumes) == 1 else f"series {number + 1}", volume.open)
    yield from (_upload(upload, "DICOM", None, limits) for upload in loose)


def _upload(upload: Upload, kind: str | None, plane: Plane | None, limits: dict[str, Any]) -> Scan:
    if kind == "NIfTI" or (kind in _PAGED | {"DICOM"} and is_volume(upload)):
        cut = plane if kind == "NIfTI" else None
        return Scan(upload.name, partial(read_volume, upload, plane=cut, in_memory=True, **limits))
    return Scan(upload.name, read=partial(read_image, upload, in_memory=True, **limits))


def _in_tree(root: Path, plane: Plane | None, on_skip: Skip | None) -> Iterator[Scan]:
    series_folders: set[Path] = set()
    for path in list_images(root, on_skip=on_skip):
        kind = _kind(path)
        # A link may lead to another folder of the tree, so it is no part of a series here.
        if kind != "DICOM" or path.is_symlink():
            yield _alone(path, kind, plane)
        elif path.parent not in series_folders:
            # Its other files come along here, and are passed over when the listing meets them.
            series_folders.add(path.parent)
            own = list_images(path.parent, recursive=False, on_skip=lambda *_: None)
            files = [one for one in own if not one.is_symlink() and _kind(one) == "DICOM"]
            yield from _series_and_loose(path.parent, files)


def _series_and_loose(folder: Path, files: list[Path]) -> Iterator[Scan]:
    volumes: list[Series] = []
    loose = files
    if 1 < len(files) <= MAX_SERIES_FILES:
        with quiet_decoders():
            volumes, loose = series_of(files, ReadOptions(), name=str(folder))
    for number, volume in enumerate(volumes):
        name = str(folder) if len(volumes) == 1 else f"{folder} [series {number}]"
        yield Scan(name, volume.open, files=volume.files)
    yield from (_alone(path, "DICOM", None) for path in loose)


def _alone(path: Path, kind: str | None, plane: Plane | None) -> Scan:
    if kind == "NIfTI" or (kind in _PAGED | {"DICOM"} and is_volume(path)):
        cut = plane if kind == "NIfTI" else None
        return Scan(str(path), partial(read_volume, path, plane=cut))
    return Scan(str(path))


def _kind(path: Path) -> str | None:
    try:
        # A pipe would wait for ever: the reader says of it what is wrong.
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return sniff(file.read(HEAD))
    except (OSError, ValueError):
        return None


def _raise(error: ImageError) -> NDArray[np.uint8]:
    raise error
