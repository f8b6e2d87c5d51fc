"""Reports as text and as HTML."""

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from mri_tumor.plots.style import show_share

if TYPE_CHECKING:
    from mri_tumor.evaluation.report import EvaluationReport

NOTICE = "Research software, not a medical device."
MISSING = "n/a"
NAMES = {
    "sensitivity": "sensitivity (recall)",
    "ppv": "PPV (precision)",
    "npv": "NPV",
    "auc": "AUC",
    "f1": "F1",
    "balanced_accuracy": "balanced accuracy",
}
TUMOR_ROWS = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "f1",
    "auc",
    "accuracy",
    "balanced_accuracy",
)
CLASS_COLUMNS = ("precision", "recall", "specificity", "f1", "auc")
Row = tuple[str, ...]
_NUMBER = re.compile(r"[<>+-]?\.?\d[\d.,% <>-]*$|n/a$|$")


def show_number(value: float | None) -> str:
    """Format a figure, "n/a" for one that is not defined; see `show_share`."""
    return MISSING if value is None else show_share(value)


def show_interval(ends: Sequence[float] | None) -> str:
    """Format an interval, or nothing when there is none."""
    if ends is None:
        return ""
    low, high = map(show_number, ends)
    return f"{low} to {high}" if high.startswith(">") else f"{low}-{high}"


def as_text(report: "EvaluationReport") -> str:
    """Lay a report out as text, at most some 100 characters wide.

    Parameters
    ----------
    report : EvaluationReport
        The report.

    Returns
    -------
    str
        Several lines.
    """
    lines = [*headings(report), ""]
    for title, header, rows in tables(report):
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines.append(title)
        for row in (header, *rows):
            first, *rest = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            lines.append("  ".join(["  " + first, *rest]).rstrip())
        lines.append("")
    return "\n".join([*lines, *footnotes(report)])


def as_html(report: "EvaluationReport") -> str:
    """Lay a report out as an HTML fragment.

    Parameters
    ----------
    report : EvaluationReport
        The report.

    Returns
    -------
    str
        HTML with every name escaped.
    """
    parts = [f"<p>{'<br>'.join(escape(line) for line in headings(report))}</p>"]
    parts += [html_table(title, header, rows) for title, header, rows in tables(report)]
    parts += [f"<p><small>{escape(line)}</small></p>" for line in footnotes(report)]
    return f'<div class="mri-tumor-evaluation">{"".join(parts)}</div>'


def html_table(title: str, header: Row, rows: Sequence[Row]) -> str:
    """Lay a table out as HTML, every cell escaped; the first column holds row headings.

    Parameters
    ----------
    title : str
        Caption.
    header : tuple of str
        Heads of the columns; all empty for a table without.
    rows : sequence of tuple of str
        Cells. A row that starts empty belongs to the one above.

    Returns
    -------
    str
        HTML; columns of numbers are aligned to the right.
    """
    right = [all(_NUMBER.match(row[i]) for row in rows) for i in range(len(header))]
    align = [' style="text-align:right;white-space:nowrap"' if flag else "" for flag in right]
    head = "".join(
        f'<th scope="col"{align[i]}>{escape(cell)}</th>' for i, cell in enumerate(header)
    )
    lines = []
    for row in rows:
        cells = "".join(f"<td{align[i]}>{escape(c)}</td>" for i, c in enumerate(row) if i)
        start = f'<th scope="row">{escape(row[0])}</th>' if row[0] else "<td></td>"
        lines.append(("<tr>" if row[0] else '<tr class="more">') + f"{start}{cells}</tr>")
    top = f"<thead><tr>{head}</tr></thead>" if any(header) else ""
    return f"<table><caption>{escape(title)}</caption>{top}<tbody>{''.join(lines)}</tbody></table>"


def headings(report: "EvaluationReport") -> Iterator[str]:
    """Say what was evaluated and how, line by line."""
    independent = (
        f"in {report.n_groups:,} groups" if report.grouped else "each taken as independent"
    )
    yield f"Evaluation of {report.n_images:,} images {independent}"
    yield f"  {NOTICE}"
    yield (
        f"  coverage {show_number(report.coverage)}: {report.n_refused:,} images refused, "
        "counted as wrong in every figure"
    )
    yield f"  called a tumor at P(tumor) >= {report.threshold:.4g}"
    if report.n_bootstrap:
        unit = "groups" if report.grouped else "images"
        yield (
            f"  {100 * report.confidence:.4g}% intervals: bootstrap over {unit} "
            f"({report.n_bootstrap:,} resamples), exact binomial where errors are few"
        )
    if report.n_unknown_subtype and report.task == "multiclass":
        yield (
            f"  {report.n_unknown_subtype:,} tumors of unknown subtype are scored as tumor or "
            "not only"
        )


def tables(report: "EvaluationReport") -> Iterator[tuple[str, Row, list[Row]]]:
    """Yield title, header and rows of each table of a report."""
    ends = f"{100 * report.confidence:.4g}% interval"
    yield "Tumor or not", ("figure", "value", ends, "coverage"), _tumor_rows(report)
    title = "By class, each against the rest"
    header = ("class", "images", "coverage", *(NAMES.get(n, n) for n in CLASS_COLUMNS))
    rows: list[Row] = []
    for name, images in report.n_images_by_class.items():
        figures = report.figures["per_class"][name]
        rows += _two_rows(
            (name, f"{images:,}", show_number(figures["coverage"])),
            figures,
            report.intervals["per_class"][name],
        )
    typed = report.n_images - report.n_unknown_subtype
    for name in ("macro", "micro"):
        rows += _two_rows(
            (f"{name} average", f"{typed:,}", show_number(_typed_coverage(report))),
            report.figures[name],
            report.intervals[name],
        )
    yield title, header, rows
    if report.task == "multiclass":
        yield (
            "All classes",
            ("figure", "value", ends, "coverage"),
            [
                (
                    name,
                    show_number(report.figures[key]),
                    show_interval(report.intervals[key]),
                    show_number(_typed_coverage(report)),
                )
                for name, key in (
                    ("accuracy", "accuracy"),
                    ("balanced accuracy", "balanced_accuracy"),
                )
            ],
        )
    yield _matrix(report)


def footnotes(report: "EvaluationReport") -> Iterator[str]:
    """Say what the tables leave open."""
    if report.calibration:
        tumor = report.calibration["tumor"]
        yield (
            f"Calibration of P(tumor) on the {report.calibration['n_images']:,} images answered: "
            f"expected calibration error {tumor['expected_calibration_error']:.4f}, Brier score "
            f"{tumor['brier_score']:.4f}"
        )
    if not report.grouped:
        yield (
            "No groups were given: if images share patients or are near-copies, these intervals "
            "are too narrow."
        )
    elif report.n_groups < 20:
        groups = "1 group" if report.n_groups == 1 else f"{report.n_groups} groups"
        yield f"Only {groups}: the intervals are rough."


def _tumor_rows(report: "EvaluationReport") -> list[Row]:
    figures, intervals = report.figures["tumor"], report.intervals["tumor"]
    coverage = show_number(figures["coverage"])
    return [
        (NAMES.get(n, n), show_number(figures[n]), show_interval(intervals[n]), coverage)
        for n in TUMOR_ROWS
    ]


def _two_rows(start: Row, figures: Mapping[str, Any], intervals: Mapping[str, Any]) -> list[Row]:
    values = (*start, *(show_number(figures[n]) for n in CLASS_COLUMNS))
    ends = ("", "", "", *(show_interval(intervals[n]) for n in CLASS_COLUMNS))
    return [values, ends] if any(ends) else [values]


def _typed_coverage(report: "EvaluationReport") -> float | None:
    answered = sum(map(sum, report.confusion_matrix))
    typed = answered + sum(report.refused_by_class)
    return answered / typed if typed else None


def _matrix(report: "EvaluationReport") -> tuple[str, Row, list[Row]]:
    refused: Sequence[int] = report.refused_by_class
    with_refused = any(refused)
    header = ("true \\ called", *report.classes, *(("refused",) if with_refused else ()))
    rows = [
        (name, *(f"{n:,}" for n in row), *((f"{refused[i]:,}",) if with_refused else ()))
        for i, (name, row) in enumerate(zip(report.classes, report.confusion_matrix, strict=True))
    ]
    return "Confusion matrix (images)", header, rows
