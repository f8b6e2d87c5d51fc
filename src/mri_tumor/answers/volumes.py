"""One answer for a volume, from those for its slices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.assessment import refused
from mri_tumor.images.scans import Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.assessment import Assessment
    from mri_tumor.images.stream import Picture

Row = dict[str, Any]

_EXTENT_MM = 10.0
_FEWEST_SLICES = 2


def combine(
    slices: Sequence[Assessment], rule: DecisionRule, *, name: str, spacing: float | None = None
) -> tuple[Assessment, range]:
    """Answer for a volume: by the run of neighbouring slices that looks most like a tumour.

    The probabilities of the volume are the mean of those of a run of neighbouring slices, that
    run whose mean probability of a tumour is highest. The run covers 10 mm where the distance
    of the slices is known, and is two slices at least: the smallest lesion that response
    criteria take for measurable [1]_. One slice alone that is mistaken for a tumour is so
    halved or better, while a tumour of a few slices keeps its probability whatever the size of
    the volume. The threshold is that for single slices: a volume offers more chances of a false
    alarm, and no data of whole volumes has set another one.

    Parameters
    ----------
    slices : sequence of Assessment
        One for each slice, in order. Those without an answer are left out, and the slices
        on either side of them count as neighbours.
    rule : DecisionRule
        Decides on the mean as on a slice.
    name : str
        What the volume is called.
    spacing : float, optional
        Distance of two slices in mm.

    Returns
    -------
    assessment : Assessment
        Refused if no slice has an answer.
    positions : range
        From the first slice of the run to the last; empty if refused.

    References
    ----------
    .. [1] Wen et al., "Updated Response Assessment Criteria for High-Grade Gliomas", Journal of
       Clinical Oncology 28(11), 2010. doi:10.1200/JCO.2009.26.3541
    """
    answered = [at for at, one in enumerate(slices) if one.probabilities is not None]
    if not answered:
        return refused(name, f"none of its {len(slices)} slices has an answer"), range(0)
    rows = np.array([list((slices[at].probabilities or {}).values()) for at in answered])
    length = min(_run_length(spacing), len(rows))
    # Differences of running sums would let rounding through: n * length is small enough.
    means = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0).mean(axis=-1)
    tumor = 1 - means[:, list(rule.classes).index(rule.negative_class)]
    best = int(tumor.argmax())
    return rule.assess(name, means[best]), range(answered[best], answered[best + length - 1] + 1)


def _run_length(spacing: float | None) -> int:
    if not spacing or not math.isfinite(spacing):
        return _FEWEST_SLICES
    return max(_FEWEST_SLICES, math.ceil(round(_EXTENT_MM / abs(spacing), 6)))


def slices_that_decided(
    volume: Mapping[str, Any], slices: Sequence[Mapping[str, Any]]
) -> list[int]:
    """Return which slices decided for a volume: those of the run that have an answer.

    Parameters
    ----------
    volume : mapping
        The row of the volume, from `rows_of_scans`.
    slices : sequence of mapping
        The rows of its slices.

    Returns
    -------
    list of int
        Their numbers; none where the volume was refused.
    """
    start, end = volume.get("decided_by") or (0, -1)
    return [at for at in range(start, end + 1) if slices[at]["label"] is not None]


def rows_of_scans(
    answered: Iterable[tuple[Picture, Assessment]], rule: DecisionRule
) -> Iterator[list[Row]]:
    """Yield the rows of each image or volume, those of a volume's slices before its own.

    Parameters
    ----------
    answered : iterable of (Picture, Assessment)
        In order; all slices of a volume follow each other.
    rule : DecisionRule
        For the volumes.

    Yields
    ------
    list of dict
        Of an image one row. Of a volume a row of kind ``"slice"`` with its number for each
        slice, and then one of kind ``"volume"`` with the range of slices that decided.
    """
    slices: list[Assessment] = []
    for picture, assessment in answered:
        if not isinstance(picture, Slice):
            yield [assessment.to_dict()]
            continue
        slices.append(assessment)
        if picture.position < picture.count - 1:
            continue
        whole, run = combine(slices, rule, name=picture.scan, spacing=picture.spacing)
        rows: list[Row] = [
            {**one.to_dict(), "kind": "slice", "slice": at} for at, one in enumerate(slices)
        ]
        decided = [run[0], run[-1]] if run else None
        rows.append(
            {**whole.to_dict(), "kind": "volume", "slices": len(slices), "decided_by": decided}
        )
        yield rows
        slices = []
