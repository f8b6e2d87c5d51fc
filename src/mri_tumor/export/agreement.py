"""How far an exported model answers as its original does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.answers.engine import gate_features
from mri_tumor.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mri_tumor.answers.engine import Refuses
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
        Share of images with the same label, in [0, 1]; of refused images what they would be.
    same_refusal : float
        Share of images that both refuse as no brain MRI slice or neither does, in [0, 1].
    same_status : float
        Share of images with the same status (refused, uncertain, ok), in [0, 1].
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
    same_refusal: float
    same_status: float
    largest_change: float
    mean_change: float
    feature_correlation: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"same label on {self.same_label:.2%} and same status on {self.same_status:.2%} of "
            f"{self.n_images} images ({self.images}), probabilities within "
            f"{self.largest_change:.4f}"
        )


def measure_agreement(
    original: Network,
    exported: Network,
    values: NDArray[np.uint8],
    rule: DecisionRule,
    *,
    images: str,
    gate: Refuses | None = None,
) -> Agreement:
    """Compare two networks on the same images.

    Parameters
    ----------
    original, exported : callable
        From images (n, size, size, 3) to outputs, feature map, and the features of the gate's
        layer if it has one.
    values : ndarray of uint8, shape (n, size, size, 3)
        Model input, at least one image.
    rule : DecisionRule
        Makes labels of outputs.
    images : str
        What the images are, in words.
    gate : object, optional
        What refuses images; without it none is.

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
    refusals: tuple[list[Any], list[Any]] = ([], [])
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
        for seen, arrays in zip(refusals, (wanted, found), strict=True):
            seen.append(_refused(gate, part, arrays))
        a, b = (one.ravel().astype(np.float64) for one in (map_1, map_2))
        sums += np.array([a.sum(), b.sum(), a @ a, b @ b, a @ b])
        n_cells = a.size / len(part) * len(values)
    before, after = (np.concatenate(kept) for kept in rows)
    change = np.abs(before - after)
    refused = [np.concatenate(seen) for seen in refusals]
    statuses = [
        np.where(no, 2, rule.uncertain(rows_of))
        for no, rows_of in zip(refused, (before, after), strict=True)
    ]
    return Agreement(
        n_images=len(values),
        images=images,
        same_label=float(np.mean(rule.decide(before) == rule.decide(after))),
        same_refusal=float(np.mean(refused[0] == refused[1])),
        same_status=float(np.mean(statuses[0] == statuses[1])),
        largest_change=float(change.max()),
        mean_change=float(change.mean()),
        feature_correlation=_correlation(sums, n_cells),
    )


def _refused(
    gate: Refuses | None, values: NDArray[np.uint8], arrays: Sequence[NDArray[Any]]
) -> NDArray[np.bool_]:
    """Tell which images the gate refuses by a network's features."""
    if gate is None:
        return np.zeros(len(values), dtype=bool)
    features = gate_features(*arrays[1:])
    # As it was prepared: how a picture is prepared is the same for both networks.
    described = np.stack([gate.describe(one[:, :, 0]) for one in values])
    return np.array([bool(reason) for reason in gate.check_described(described, features)])


def _correlation(sums: NDArray[np.float64], n: float) -> float:
    """Return the correlation from the sums of a, b, aa, bb and ab over n pairs."""
    a, b, aa, bb, ab = sums / n
    spread = np.sqrt(max(aa - a * a, 0.0) * max(bb - b * b, 0.0))
    if spread == 0.0:
        # Two constant maps are equal or are not; a correlation says nothing of them.
        return float(a == b)
    return float(np.clip((ab - a * b) / spread, -1.0, 1.0))
