"""From scans to cases: what the model says of each, and how to show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mri_tumor.answers.volumes import rows_of_scans, slices_that_decided

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from mri_tumor.assessment import Assessment
    from mri_tumor.images.scans import Scan
    from mri_tumor.images.stream import Picture
    from mri_tumor.runtime import Runtime

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Case:
    """An image or a volume with its answer.

    Parameters
    ----------
    name : str
        What it is called.
    row : mapping
        The answer, as `mri-tumor predict --json` writes it.
    slices : tuple of mapping
        The answers for a volume's slices, in order; empty for an image.
    pictures : tuple of Picture
        The image, or the slices.
    """

    name: str
    row: Mapping[str, Any]
    slices: tuple[Mapping[str, Any], ...]
    pictures: tuple[Picture, ...]

    @property
    def is_volume(self) -> bool:
        """Whether there are slices to choose from."""
        return len(self.slices) > 1

    @property
    def best_slice(self) -> int:
        """The middle of the slices that decided, or of all where none did."""
        decided = self.deciding or range(len(self.pictures))
        return decided[(len(decided) - 1) // 2]

    @property
    def deciding(self) -> list[int]:
        """The slices that decided for a volume: those of the run that have an answer."""
        return slices_that_decided(self.row, self.slices)

    @property
    def deciding_in_words(self) -> str:
        """Which slices decided for a volume; empty where none did."""
        decided = self.deciding
        if not decided:
            return ""
        start, end = decided[0], decided[-1]
        left_out = [str(at) for at in range(start, end) if at not in decided]
        but = f", without {', '.join(left_out)}," if left_out else ""
        return f"Slices {start} to {end}{but} decided for the volume."

    def image(self, at: int = 0) -> NDArray[np.uint8]:
        """Return the pixels of the image or of a slice, uint8 of shape (h, w).

        Raises
        ------
        ImageError
            If they cannot be read.
        """
        return self.pictures[at].decode()

    def row_of(self, at: int) -> Mapping[str, Any]:
        """Return the answer for a slice, or for the image."""
        return self.slices[at] if self.slices else self.row


def assess_cases(
    model: Runtime,
    scans: Sequence[Scan],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Case]:
    """Answer for scans; one that cannot be read is a case that says why.

    Parameters
    ----------
    model : Runtime
        What answers.
    scans : sequence of Scan
        Images and volumes.
    progress : callable, optional
        Called with the pictures done and their total, after each.

    Returns
    -------
    list of Case
        One for each scan, in order.
    """
    pictures = [tuple(scan.pictures()) for scan in scans]
    total = sum(map(len, pictures))

    def answered() -> Iterator[tuple[Picture, Assessment]]:
        stream = model.assess_stream(one for some in pictures for one in some)
        for done, pair in enumerate(stream, 1):
            yield pair
            progress(done, total)

    rows = rows_of_scans(answered(), model.rule_)
    return [
        Case(scan.name, found[-1], tuple(found[:-1]), some)
        for scan, some, found in zip(scans, pictures, rows, strict=True)
    ]
