"""Many answers as a table, and as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mri_tumor.answers.table_formats import CSV, safe_cell
from mri_tumor.app.words import verdict
from mri_tumor.images.messages import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.app.cases import Case


def answer_rows(cases: Sequence[Case], rule: DecisionRule) -> list[dict[str, Any]]:
    """Lay answers out for reading, one row for each case.

    Parameters
    ----------
    cases : sequence of Case
        The cases.
    rule : DecisionRule
        What they were decided by.

    Returns
    -------
    list of dict
        File, answer, P(tumour) in percent (0.1 to 99.9) or None, and why, in words.
    """
    rows = []
    for case in cases:
        p = case.row["tumor_probability"]
        slices = f" ({len(case.slices)} slices)" if case.is_volume else ""
        rows.append(
            {
                "File": safe_cell(shown(case.name)) + slices,
                "Answer": verdict(case.row, rule).title,
                # 99.97 would be shown as 100.0, which it is not.
                "P(tumour)": None if p is None else min(99.9, max(0.1, 100 * p)),
                "Why": shown(case.row["message"]),
            }
        )
    return rows


def answers_csv(cases: Sequence[Case], classes: Sequence[str]) -> bytes:
    """Write answers as `mri-tumor predict --output answers.csv` does.

    Parameters
    ----------
    cases : sequence of Case
        The cases; the slices of a volume come before it.
    classes : sequence of str
        Classes in the order of the probabilities.

    Returns
    -------
    bytes
        UTF-8; no cell that a spreadsheet would run.
    """
    rows = [dict(row) for case in cases for row in (*case.slices, case.row)]
    return CSV.header(classes) + b"".join(CSV.write(row, classes) for row in rows)
