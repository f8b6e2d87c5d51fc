"""A stack of slices that are read when they are asked for."""

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import index
from types import TracebackType
from typing import Any, Self

from mri_tumor.images.intensity import Grey, finished
from mri_tumor.images.messages import refusal
from mri_tumor.images.options import Plane
from mri_tumor.images.quiet import quiet_decoders


def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """Slices of one scan, in order, each read when it is asked for.

    Iterating holds one slice in memory at a time (and a few more of a NIfTI volume that is
    cut across the grain of its file). May be used from several threads. Close it, or use it
    in a ``with`` statement, to let its file go at once.

    Parameters
    ----------
    name : str
        The file or folder, as messages call it.
    kind : str
        "NIfTI", "DICOM", "TIFF" and so on.
    count : int
        Number of slices.
    plane : {"axial", "coronal", "sagittal"} or None
        Nearest anatomical plane of the slices; None if the file does not tell.
    spacing : tuple of float or None
        Distance of slices, of rows and of columns in mm, in the slices as they are given;
        None if the file does not tell.
    files : tuple of str
        File of each slice, for a series of files; else empty.
    load : callable
        Reads a slice by its index.
    release : callable, optional
        Lets go of the file.

    Examples
    --------
    >>> import nibabel
    >>> import numpy as np
    >>> from mri_tumor.images import read_volume
    >>> values = np.random.default_rng(0).integers(0, 900, (40, 48, 32), dtype=np.int16)
    >>> nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), "brain.nii.gz")
    >>> with read_volume("brain.nii.gz") as volume:
    ...     volume.plane, len([slice_.mean() for slice_ in volume])
    ('axial', 32)
    """

    name: str
    kind: str
    count: int
    plane: Plane | None = None
    spacing: tuple[float, float, float] | None = None
    files: tuple[str, ...] = ()
    load: Callable[[int], Grey] = field(repr=False)
    release: Callable[[], Any] = field(default=_nothing, repr=False)
    _closing: "weakref.finalize[..., Volume]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Also when it is merely forgotten: an open file would outlive it.
        object.__setattr__(self, "_closing", weakref.finalize(self, self.release))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, position: int) -> Grey:
        """Read the slice at an index, from the end if it is negative; uint8 (h, w)."""
        number = index(position)
        if not -self.count <= number < self.count:
            msg = f"{self.name}: has no slice {number}: it holds {self.count}"
            raise IndexError(msg)
        if not self._closing.alive:
            raise refusal(self.name, "has been closed", "Open it again by read_volume")
        with quiet_decoders():
            return finished(self.load(number % self.count), name=self.name)

    def __iter__(self) -> Iterator[Grey]:
        for number in range(self.count):
            yield self[number]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; slices can no longer be read."""
        self._closing()
