"""Read and check what a NIfTI file says about its voxels."""

import gzip
import math
import zlib
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mri_tumor.errors import ImageError
from mri_tumor.images.limits import MAX_PAGES
from mri_tumor.images.messages import not_installed, refusal
from mri_tumor.images.options import ReadOptions
from mri_tumor.images.stores import truncated

_UNITS_IN_MM = {1: 1000.0, 2: 1.0, 3: 0.001}
_CONVERT = "Convert it again, for example by dcm2niix"


@dataclass(frozen=True)
class NiftiHeader:
    """What a NIfTI file says about one volume in it.

    Parameters
    ----------
    shape : tuple of int
        Voxels along the three axes, in the order of the file, the first one fastest.
    dtype : numpy.dtype
        Of the stored values.
    start : int
        Where the volume begins in the (unpacked) file.
    slope, intercept : float
        Turn stored values into intensities.
    axes : tuple of int
        Which axis of the file runs along right, anterior and superior.
    flipped : tuple of bool
        Whether that axis runs the other way.
    sizes : tuple of float or None
        Voxel size along right, anterior and superior in mm; None if not usable.
    packed : bool
        Whether the file is gzip.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    start: int
    slope: float
    intercept: float
    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    sizes: tuple[float, float, float] | None
    packed: bool

    @property
    def volume_bytes(self) -> int:
        """Bytes of the volume."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_nifti_header(
    stream: IO[bytes], *, name: str, size: int, options: ReadOptions
) -> NiftiHeader:
    """Read and check the header of a NIfTI file.

    Parameters
    ----------
    stream : binary file object
        The file, plain or gzip.
    name : str
        What messages call it.
    size : int
        Bytes in the file.
    options : ReadOptions
        `volume`, `max_pixels` and `max_volume_bytes` are used.

    Returns
    -------
    NiftiHeader
        Checked, so that reading cannot ask for more than allowed.

    Raises
    ------
    ImageError
        If it is damaged, too large, of an unsupported kind, or has several volumes and
        `options.volume` is None.
    """
    stream.seek(0)
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    head = _head(stream, packed=packed, name=name)
    try:
        header = _parse(head, name)
        shape = tuple(int(length) for length in header.get_data_shape())
        dtype = np.dtype(header.get_data_dtype())
        slope, intercept = header.get_slope_inter()
        # Four bytes, which say whether extensions follow, end the header.
        offset = max(int(header.get_data_offset()), len(header.binaryblock) + 4)
        affine = np.asarray(header.get_best_affine(), dtype=np.float64)
        unit = _UNITS_IN_MM.get(int(header["xyzt_units"]) & 7, 1.0)
    except ImageError:
        raise
    except ImportError as error:
        raise not_installed(name, "NIfTI", error) from None
    except Exception:  # noqa: BLE001 - damaged headers raise nearly anything
        raise refusal(name, "is a NIfTI file with a damaged header", _CONVERT) from None
    volumes, shape3 = _volumes(shape, name)
    number = _chosen(volumes, options.volume, name)
    _check_dtype(dtype, name)
    if max(shape3) > MAX_PAGES:
        raise refusal(name, f"says that it has {_times(shape3)} voxels", _CONVERT)
    volume_bytes = math.prod(shape3) * dtype.itemsize
    needed = offset + (number + 1) * volume_bytes
    if needed > options.max_volume_bytes:
        raise refusal(
            name,
            f"has {needed:,} bytes once unpacked, over the limit of {options.max_volume_bytes:,}",
            "Crop it, or raise max_volume_bytes if you trust it",
        )
    # All volumes, so that the first of a truncated file is not taken for good.
    if not packed and offset + volumes * volume_bytes > size:
        raise truncated(name)
    axes, flipped = _orientation(affine, name)
    lengths = np.sqrt((affine[:3, :3] ** 2).sum(axis=0)) * unit
    sizes = tuple(float(lengths[axis]) for axis in axes)
    usable = all(math.isfinite(length) and length > 0 for length in sizes)
    return NiftiHeader(
        shape3,
        dtype,
        offset + number * volume_bytes,
        1.0 if slope is None else float(slope),
        0.0 if intercept is None else float(intercept),
        axes,
        flipped,
        sizes if usable else None,  # type: ignore[arg-type]
        packed,
    )


def _head(stream: IO[bytes], *, packed: bool, name: str) -> bytes:
    if not packed:
        return stream.read(540)
    try:
        with gzip.GzipFile(fileobj=stream, mode="rb") as plain:
            return plain.read(540)
    except EOFError:
        raise truncated(name) from None
    except (OSError, zlib.error):
        problem = "is a gzip file that is damaged"
        raise refusal(name, problem, "Copy or download it again") from None


def _parse(head: bytes, name: str) -> Any:
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    if b"ni1\x00" in (head[344:348],) or head[4:8] == b"ni2\x00":
        raise refusal(
            name,
            "is the header of a NIfTI pair (.hdr and .img)",
            "Convert the pair to one .nii file",
        )
    kind, length = (Nifti2Header, 540) if head[4:7] == b"n+2" else (Nifti1Header, 348)
    if len(head) < length:
        raise truncated(name)
    # From the block alone: extensions may hold a DICOM header with a patient's name.
    return kind(head[:length], check=True)


def _volumes(shape: tuple[int, ...], name: str) -> tuple[int, tuple[int, int, int]]:
    """Split a shape into the number of volumes and the shape of one."""
    if any(length < 1 for length in shape) or not 2 <= len(shape) <= 7:
        raise refusal(name, f"says that it has {_times(shape)} voxels", _CONVERT)
    padded = (*shape, 1, 1, 1)
    if math.prod(padded[4:]) > 1:
        raise refusal(
            name,
            f"has {len(shape)} dimensions ({_times(shape)}), so it is no scan",
            "Pass a volume of three dimensions, or four with the option volume",
        )
    return padded[3], (padded[0], padded[1], padded[2])


def _chosen(volumes: int, volume: int | None, name: str) -> int:
    if volume is None and volumes > 1:
        raise refusal(
            name,
            f"holds {volumes} volumes (it has four dimensions), and which to read is not said",
            "Split it; in Python, volume=0 chooses the first",
        )
    if volume is not None and volume >= volumes:
        problem = f"has no volume {volume}: it holds {volumes}"
        raise refusal(name, problem, "Count volumes from 0")
    return volume or 0


def _check_dtype(dtype: np.dtype[Any], name: str) -> None:
    colour = dtype.names is not None and dtype.names[:3] == ("R", "G", "B")
    if not colour and dtype.kind not in "iuf":
        raise refusal(name, "has voxels that are no intensities (complex, say)", _CONVERT)


def _orientation(
    affine: npt.NDArray[np.float64], name: str
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    from nibabel.orientations import io_orientation

    try:
        # Row i tells to which anatomical axis the file's axis i belongs, and its direction.
        found = io_orientation(affine)
        order = [int(axis) for axis in found[:, 0]]
        axes = order.index(0), order.index(1), order.index(2)
    except Exception:  # noqa: BLE001 - NaN, singular or infinite affines raise several kinds
        raise refusal(name, "has a damaged orientation (affine)", _CONVERT) from None
    flips = [bool(found[axis, 1] < 0) for axis in axes]
    return axes, (flips[0], flips[1], flips[2])


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{length:,}" for length in shape)
