"""Read a folder of DICOM files as one series, its slices in order."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mri_tumor.errors import ImageError
from mri_tumor.images.dicom import DicomFile, open_dicom
from mri_tumor.images.dicom_facts import facts_of, for_frame, why_not_wanted
from mri_tumor.images.dicom_header import numbers, read_header, text
from mri_tumor.images.geometry import plane_of
from mri_tumor.images.intensity import Grey, common_levels, spread
from mri_tumor.images.limits import MAX_SERIES_FILES
from mri_tumor.images.listing import list_images
from mri_tumor.images.messages import refusal, shown
from mri_tumor.images.options import Plane, ReadOptions
from mri_tumor.images.sniffing import HEAD, sniff
from mri_tumor.images.sources import Upload, check_bytes, opened
from mri_tumor.images.stacks import open_frames
from mri_tumor.images.volume import Volume

File = TypeVar("File", Path, Upload)

# Positions that differ by less are the same slice (mm).
_SAME_PLACE = 0.01


@dataclass(frozen=True)
class _Slice:
    """What is kept of a file while its series is put in order."""

    path: Path | Upload
    series: str
    number: float
    instance: str
    order: tuple[float, ...]
    place: float | None
    plane: Plane | None
    normal: tuple[float, ...]
    frames: int
    pixels: tuple[int, int]
    spacing: tuple[float, float] | None
    distance: float | None
    needs_levels: bool


def open_series(folder: Path, options: ReadOptions) -> Volume:
    """Open the DICOM files of a folder, and of the folders in it, as one volume.

    Slices are ordered by their position along the normal of the slices: from left to right,
    from posterior to anterior or from inferior to superior. Where a position is missing or
    the slices are not parallel, they are ordered by InstanceNumber, then by name. Files that
    are no DICOM, and DICOM files without a picture, are left out; copies of one image count
    once. Each slice is shown by its own window where it has one.

    Parameters
    ----------
    folder : path
        Where the files are.
    options : ReadOptions
        `series` chooses among several, `volume` among repetitions at the same places.

    Returns
    -------
    Volume
        Slices as the scanner made them, with the file of each.

    Raises
    ------
    ImageError
        If there is no MR image, or several series or volumes and no choice, or a file is
        damaged. Series are named by index, size and plane only.
    """
    name = shown(folder)
    slices, refused = _scan(folder, options, name)
    if not slices:
        if refused:
            raise refused
        raise refusal(name, "holds no DICOM image", "Pass the folder of a DICOM series")
    chosen = _choose_series(slices, options.series, name)
    multi = [item for item in chosen if item.frames > 1]
    if multi:
        if len(chosen) > 1:
            raise refusal(
                name,
                f"holds {len(chosen)} files of several frames each",
                f"Pass one of them, such as {shown(multi[0].path.name)}",
            )
        return open_frames(chosen[0].path, options)
    ordered = _in_order(chosen, options, name)
    return _as_volume(ordered, options, name)


@dataclass(frozen=True)
class Series:
    """The files of a volume, and what opens it.

    Parameters
    ----------
    files : tuple of str
        In the order of the slices.
    open : callable
        Reads what the volume needs besides its slices.
    """

    files: tuple[str, ...]
    open: Callable[[], Volume]


def series_of(
    files: Iterable[File], options: ReadOptions, *, name: str
) -> tuple[list[Series], list[File]]:
    """Put the DICOM files of a folder together to volumes, as far as they go together.

    Parameters
    ----------
    files : iterable of Path, or of Upload
        DICOM files.
    options : ReadOptions
        As in `open_series`.
    name : str
        What messages call their folder.

    Returns
    -------
    volumes : list of Series
        Each of two images or more, ordered by SeriesNumber.
    loose : list of Path or Upload
        Files that are part of none: damaged ones, those of several frames, further copies.
    """
    groups: dict[str, list[_Slice]] = defaultdict(list)
    loose: list[Any] = []
    seen: set[str] = set()
    for path in files:
        try:
            item = _read_slice(path, options)
        except ImageError:
            item = None
        if not isinstance(item, _Slice) or item.frames > 1 or item.instance in seen:
            loose.append(path)
            continue
        if item.instance:
            seen.add(item.instance)
        groups[item.series].append(item)
    volumes: list[Series] = []
    for group in sorted(groups.values(), key=lambda group: (group[0].number, group[0].path)):
        try:
            ordered = _in_order(group, options, name) if len(group) > 1 else []
        except ImageError:
            ordered = []
        if ordered:
            paths = tuple(str(item.path) for item in ordered)
            volumes.append(Series(paths, partial(_as_volume, ordered, options, name)))
        else:
            loose += [item.path for item in group]
    return volumes, sorted(loose)


def _read_slice(path: Path | Upload, options: ReadOptions) -> _Slice | ImageError:
    """Read a file's header; an object that is not wanted comes back as the error it would be."""
    with opened(path, max_bytes=options.max_bytes) as file:
        check_bytes(file, options.max_bytes)
        header = read_header(file, max_bytes=options.max_bytes)
        unwanted = why_not_wanted(header, options)
        if unwanted:
            return refusal(file.name, *unwanted)
        facts = facts_of(header, options, name=file.name)
        return _describe(path, DicomFile(header, facts, file.name, options))


def _scan(folder: Path, options: ReadOptions, name: str) -> tuple[list[_Slice], ImageError | None]:
    """Read the headers; also return why the first object that is not wanted was refused."""
    slices: list[_Slice] = []
    refused: ImageError | None = None
    for count, path in enumerate(list_images(folder)):
        if count >= MAX_SERIES_FILES:
            raise refusal(
                name,
                f"holds more than {MAX_SERIES_FILES:,} files",
                "Pass the folder of one series",
            )
        if not _is_dicom(path):
            continue
        item = _read_slice(path, options)
        if isinstance(item, _Slice):
            slices.append(item)
        else:
            refused = refused or item
    return slices, refused


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return sniff(file.read(HEAD)) == "DICOM"


def _describe(path: Path | Upload, dicom: DicomFile) -> _Slice:
    dataset, name = dicom.header.dataset, dicom.name
    normal = dicom.normal()
    position = for_frame(dataset, 0, "PlanePositionSequence", "ImagePositionPatient", name=name)
    place = None
    if normal is not None and len(position) == 3 and all(map(math.isfinite, position)):
        place = float(np.dot(normal, position))
    return _Slice(
        path=path,
        series=text(dataset, "SeriesInstanceUID"),
        number=_first(numbers(dataset, "SeriesNumber", name=name)),
        instance=text(dataset, "SOPInstanceUID"),
        order=tuple(
            _first(numbers(dataset, word, name=name))
            for word in (
                "AcquisitionNumber",
                "TemporalPositionIdentifier",
                "DiffusionBValue",
                "EchoNumbers",
                "InstanceNumber",
            )
        ),
        place=place,
        plane=None if normal is None else plane_of(normal),
        normal=() if normal is None else tuple(float(part) for part in normal),
        frames=dicom.facts.frames,
        pixels=(dicom.facts.columns, dicom.facts.rows),
        spacing=dicom.spacing(),
        distance=dicom.distance(),
        needs_levels=dicom.needs_levels(0) and dicom.plain_levels() is None,
    )


def _first(values: list[float]) -> float:
    return values[0] if values and math.isfinite(values[0]) else 0.0


def _choose_series(slices: list[_Slice], series: int | None, name: str) -> list[_Slice]:
    groups: dict[str, list[_Slice]] = defaultdict(list)
    seen: set[str] = set()
    for item in slices:
        # The same image exported twice is one image.
        if item.instance and item.instance in seen:
            continue
        seen.add(item.instance)
        groups[item.series].append(item)
    # By number as on the scanner's console; the first path decides among equals.
    found = sorted(groups.values(), key=lambda group: (group[0].number, group[0].path))
    if series is None and len(found) > 1:
        listed = "; ".join(f"{at}: {_summary(group)}" for at, group in enumerate(found))
        raise refusal(
            name, f"holds {len(found)} series ({listed})", "Choose one, such as series=0"
        )
    if series is not None and series >= len(found):
        raise refusal(name, f"has no series {series}: it holds {len(found)}", "Count from 0")
    return found[series or 0]


def _summary(group: list[_Slice]) -> str:
    width, height = group[0].pixels
    plane = f", {group[0].plane}" if group[0].plane else ""
    files = "1 image" if len(group) == 1 else f"{len(group)} images"
    return f"{files} of {width} x {height}{plane}"


def _in_order(slices: list[_Slice], options: ReadOptions, name: str) -> list[_Slice]:
    if not _are_stacked(slices):
        _check_volume(1, options, name)
        return sorted(slices, key=lambda item: (item.order[-1], item.path))
    slices = sorted(slices, key=lambda item: (item.place or 0.0, item.order, item.path))
    places: list[list[_Slice]] = []
    for item in slices:
        if places and abs((item.place or 0.0) - (places[-1][0].place or 0.0)) < _SAME_PLACE:
            places[-1].append(item)
        else:
            places.append([item])
    counts = {len(place) for place in places}
    if len(counts) > 1:
        raise refusal(
            name,
            f"holds {len(slices)} images at {len(places)} places, unequally many at each",
            "Pass a folder with one image per place",
        )
    number = _check_volume(counts.pop(), options, name)
    return [sorted(place, key=lambda item: (item.order, item.path))[number] for place in places]


def _are_stacked(slices: Iterable[_Slice]) -> bool:
    items = list(slices)
    if any(item.place is None for item in items):
        return False
    normals = np.array([item.normal for item in items])
    return bool((np.abs(normals @ normals[0] - 1) < 1e-3).all())


def _check_volume(count: int, options: ReadOptions, name: str) -> int:
    if options.volume is None and count > 1:
        raise refusal(
            name,
            f"holds {count} images at each place (echoes, b-values or times)",
            "Split the series; in Python, volume=0 chooses one of them",
        )
    if options.volume is not None and options.volume >= count:
        problem = f"has no volume {options.volume}: it holds {count}"
        raise refusal(name, problem, "Count volumes from 0")
    return options.volume or 0


def _as_volume(slices: list[_Slice], options: ReadOptions, name: str) -> Volume:
    plane = slices[0].plane if all(item.plane == slices[0].plane for item in slices) else None
    if options.plane and options.plane != plane:
        raise refusal(
            name,
            f"was acquired in the {plane} plane" if plane else "does not tell its plane",
            f"Leave the option plane out, or convert it to NIfTI for {options.plane} slices",
        )
    levels = None
    if any(item.needs_levels for item in slices):
        levels = common_levels(
            (_sample(slices[at].path, options) for at in spread(len(slices))),
            name=name,
            window=options.window,
        )

    def load(number: int) -> Grey:
        with opened(slices[number].path, max_bytes=options.max_bytes) as file:
            dicom = open_dicom(file, options)
            own = dicom.plain_levels() if dicom.needs_levels(0) else None
            return dicom.grey(0, own or levels)

    return Volume(
        name=name,
        kind="DICOM",
        count=len(slices),
        plane=plane,
        spacing=_spacing(slices, options),
        files=tuple(str(item.path) for item in slices),
        load=load,
    )


def _sample(path: Path | Upload, options: ReadOptions) -> np.ndarray:
    with opened(path, max_bytes=options.max_bytes) as file:
        return open_dicom(file, options).sample(0)


def _spacing(slices: list[_Slice], options: ReadOptions) -> tuple[float, float, float] | None:
    inner = slices[0].spacing
    between = slices[0].distance
    if len(slices) > 1 and _are_stacked(slices):
        between = float(np.median(np.diff([item.place or 0.0 for item in slices])))
    if inner is None or not between:
        return None
    if options.square_pixels:
        inner = (min(inner), min(inner))
    return between, *inner
