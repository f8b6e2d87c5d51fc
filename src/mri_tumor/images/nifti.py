"""Read NIfTI volumes slice by slice, in any of the three anatomical planes."""

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mri_tumor.images.geometry import with_square_pixels
from mri_tumor.images.intensity import Grey, common_levels, spread, thinned, to_grey
from mri_tumor.images.limits import check_pixels
from mri_tumor.images.messages import refusal
from mri_tumor.images.nifti_header import NiftiHeader, read_nifti_header
from mri_tumor.images.options import PLANES, Plane, ReadOptions
from mri_tumor.images.sources import Opened
from mri_tumor.images.stores import ByteStore, from_stream, unpacked
from mri_tumor.images.volume import Volume

Values = npt.NDArray[Any]

# Slices across the grain of the file are read several at a time, within these bounds.
_SLAB_SLICES, _SLAB_BYTES = 32, 2**26


@dataclass
class _Voxels:
    """The voxels of one volume, read along any axis of its file."""

    header: NiftiHeader
    store: ByteStore
    start: int
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _slab: tuple[int, int, Values] | None = None

    def plane(self, axis: int, number: int) -> Values:
        """Return the stored values of a plane, (first, second) remaining axis."""
        if axis == 2:
            return self._block(number)
        with self._lock:
            if self._slab is None or self._slab[0] != axis or not self._holds(number):
                self._slab = (axis, *self._read_slab(axis, number))
            _, first, slab = self._slab
            return np.asarray(slab.take(number - first, axis=axis))

    def _holds(self, number: int) -> bool:
        assert self._slab is not None  # noqa: S101 - the caller looked
        axis, first, slab = self._slab
        return bool(first <= number < first + slab.shape[axis])

    def _block(self, number: int) -> Values:
        """Return the plane that lies in one piece in the file."""
        columns, rows, _ = self.header.shape
        length = columns * rows * self.header.dtype.itemsize
        data = self.store.read(length, self.start + number * length)
        return np.frombuffer(data, self.header.dtype).reshape((columns, rows), order="F")

    def _read_slab(self, axis: int, number: int) -> tuple[int, Values]:
        shape = list(self.header.shape)
        each = self.header.volume_bytes // shape[axis]
        count = max(1, min(_SLAB_SLICES, _SLAB_BYTES // max(1, each)))
        first = number // count * count
        stop = min(first + count, shape[axis])
        shape[axis] = stop - first
        slab = np.empty(shape, self.header.dtype)
        for depth in range(shape[2]):
            block = self._block(depth)
            slab[:, :, depth] = block[first:stop] if axis == 0 else block[:, first:stop]
        return first, slab


def open_nifti(file: Opened, options: ReadOptions) -> Volume:
    """Open a NIfTI file as a volume of slices.

    Parameters
    ----------
    file : Opened
        The file, which may be closed afterwards.
    options : ReadOptions
        How to read it; the plane is axial unless it says another.

    Returns
    -------
    Volume
        Slices from left to right, from posterior to anterior or from inferior to superior,
        each with the head upright, or the face up in axial slices.

    Raises
    ------
    ImageError
        If it cannot be read, or has four dimensions and `options.volume` is None.
    """
    header = read_nifti_header(file.stream, name=file.name, size=file.size, options=options)
    if header.packed:
        start, length = header.start, header.volume_bytes
        store = unpacked(
            file.stream, file.name, start=start, length=length, in_memory=options.in_memory
        )
        voxels = _Voxels(header, store, 0)
    else:
        store = from_stream(file.stream, file.name)
        voxels = _Voxels(header, store, header.start)
    try:
        return _as_volume(voxels, options, file.name)
    except BaseException:
        store.release()
        raise


def _as_volume(voxels: _Voxels, options: ReadOptions, name: str) -> Volume:
    header = voxels.header
    plane: Plane = options.plane or "axial"
    stacked = PLANES.index(plane)
    across, up = [axis for axis in range(3) if axis != stacked]
    count = header.shape[header.axes[stacked]]
    size = header.shape[header.axes[across]], header.shape[header.axes[up]]
    check_pixels(size, name=name, max_pixels=options.max_pixels)
    sizes = header.sizes
    spacing = (sizes[up], sizes[across]) if sizes else None
    levels = _levels(voxels, options, name)
    # Radiologists look from the patient's feet, or face to face: the right is on the left.
    mirrored = plane == "sagittal" or options.convention == "radiological"

    def load(number: int) -> Grey:
        axis = header.axes[stacked]
        at = count - 1 - number if header.flipped[stacked] else number
        values = voxels.plane(axis, at)
        if header.axes[across] < header.axes[up]:
            values = values.T
        # Rows run upwards now, columns to the right or to the front.
        if header.flipped[up]:
            values = values[::-1]
        if header.flipped[across]:
            values = values[:, ::-1]
        values = values[::-1, ::-1] if mirrored else values[::-1]
        grey = _shown(values, header, levels, name)
        if not options.square_pixels:
            return grey
        return with_square_pixels(grey, spacing, name=name, max_pixels=options.max_pixels)

    distances = None
    if sizes and spacing:
        finer = min(spacing)
        distances = (sizes[stacked], *((finer, finer) if options.square_pixels else spacing))
    return Volume(
        name=name,
        kind="NIfTI",
        count=count,
        plane=plane,
        spacing=distances,
        load=load,
        release=voxels.store.release,
    )


def _levels(voxels: _Voxels, options: ReadOptions, name: str) -> tuple[float, float]:
    """Choose black and white for the volume, so that every plane shows them alike."""
    header = voxels.header
    if header.dtype.names or not isinstance(options.window, str):
        return (0.0, 255.0) if header.dtype.names else options.window  # type: ignore[return-value]
    samples = []
    for number in spread(header.shape[2]):
        values = thinned(_intensities(voxels.plane(2, number), header, name).ravel())
        samples.append(values[~np.isnan(values)])
    if not sum(sample.size for sample in samples):
        raise refusal(name, "holds NaN only", "Pass a volume with intensities")
    return common_levels(samples, name=name, window=options.window)


def _intensities(stored: Values, header: NiftiHeader, name: str) -> Values:
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored.astype(np.float64) * header.slope + header.intercept
    if np.isinf(values).any():
        raise refusal(name, "holds values that are infinite", "Replace them and save it again")
    return values


def _shown(values: Values, header: NiftiHeader, levels: tuple[float, float], name: str) -> Grey:
    if header.dtype.names:
        colours = np.stack([values[part] for part in "RGB"], axis=-1)
        return np.asarray(Image.fromarray(np.ascontiguousarray(colours)).convert("L"))
    intensities = _intensities(values, header, name)
    # SPM and others write NaN where there is no measurement.
    black = levels[0]
    return to_grey(np.nan_to_num(intensities, copy=False, nan=black), *levels)
