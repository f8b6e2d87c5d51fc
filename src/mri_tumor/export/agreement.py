"""How far an exported model answers as its original does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mri_tumor.answers.rule import DecisionRule

    Network = Callable[[NDArray[Any]], Sequence[NDArray[Any]]]

_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Answers of an exported model beside those of its original, on the same images.

    Parameters
    ----------
    n_images : int
        Number of images.
    images : str
        What they are, such as ``"phantoms"``.
    same_label : float
        Share of images with the same label, in [0, 1].
    largest_change : float
        Largest change of a calibrated probability, in [0, 1].
    mean_change : float
        Mean change of a calibrated probability, in [0, 1].
    feature_correlation : float
        Correlation of the two feature maps, which heatmaps are made of; 1 is equal.
    """

    n_images: int
    images: str
    same_label: float
    largest_change: float
    mean_change: float
    feature_correlation: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"same label on {self.same_label:.2%} of {self.n_images} images ({self.images}), "
            f"probabilities within {self.largest_change:.4f}"
        )


def measure_agreement(
    original: Network,
    exported: Network,
    values: NDArray[np.uint8],
    rule: DecisionRule,
    *,
    images: str,
) -> Agreement:
    """Compare two networks on the same images.

    Parameters
    ----------
    original, exported : callable
        From images (n, size, size, 3) to outputs and feature map.
    values : ndarray of uint8, shape (n, size, size, 3)
        Model input, at least one image.
    rule : DecisionRule
        Makes labels of outputs.
    images : str
        What the images are, in words.

    Returns
    -------
    Agreement
        What differs.

    Raises
    ------
    ExportError
        If the exported network's arrays have other shapes, or hold no finite numbers.
    """
    rows: tuple[list[Any], list[Any]] = ([], [])
    sums = np.zeros(5)
    for start in range(0, len(values), _BATCH):
        part = values[start : start + _BATCH]
        wanted, found = original(part), exported(part)
        if [one.shape for one in wanted] != [one.shape for one in found]:
            message = (
                f"The exported network gives arrays of shapes {[one.shape for one in found]} "
                f"instead of {[one.shape for one in wanted]}. Nothing was written."
            )
            raise ExportError(message)
        (first, map_1), (second, map_2) = wanted[:2], found[:2]
        if not all(np.isfinite(one).all() for one in found):
            raise ExportError("The exported network gives NaN or infinities. Nothing was written.")
        for kept, outputs in zip(rows, (first, second), strict=True):
            kept.append(rule.probabilities(outputs))
        a, b = (one.ravel().astype(np.float64) for one in (map_1, map_2))
        sums += np.array([a.sum(), b.sum(), a @ a, b @ b, a @ b])
        n_cells = a.size / len(part) * len(values)
    before, after = (np.concatenate(kept) for kept in rows)
    change = np.abs(before - after)
    return Agreement(
        n_images=len(values),
        images=images,
        same_label=float(np.mean(rule.decide(before) == rule.decide(after))),
        largest_change=float(change.max()),
        mean_change=float(change.mean()),
        feature_correlation=_correlation(sums, n_cells),
    )


def _correlation(sums: NDArray[np.float64], n: float) -> float:
    """Return the correlation from the sums of a, b, aa, bb and ab over n pairs."""
    a, b, aa, bb, ab = sums / n
    spread = np.sqrt(max(aa - a * a, 0.0) * max(bb - b * b, 0.0))
    if spread == 0.0:
        # Two constant maps are equal or are not; a correlation says nothing of them.
        return float(a == b)
    return float(np.clip((ab - a * b) / spread, -1.0, 1.0))
