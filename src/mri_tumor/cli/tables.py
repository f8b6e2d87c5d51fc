"""Tables for the eyes on a terminal, and for other programs elsewhere."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.images.messages import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mri_tumor.data import AuditReport
    from mri_tumor.evaluation import EvaluationReport

    Row = Sequence[str]

_NUMBER = re.compile(r"[<>+(-]*\.?\d[\d.,% ()<>x-]*$|n/a$|-?$")


def on_terminal() -> bool:
    """Say whether a person sees standard output, rather than a file or another program."""
    return sys.stdout.isatty()


def write_table(header: Row, rows: Sequence[Row]) -> None:
    """Write a table to standard output: drawn on a terminal, tab-separated lines elsewhere.

    Parameters
    ----------
    header : sequence of str
        Heads of the columns; left out where lines are tab-separated.
    rows : sequence of sequence of str
        Cells, as many in each row.
    """
    if on_terminal():
        draw_table(header, rows)
        return
    for row in rows:
        click.echo("\t".join(map(shown, row)))


def draw_table(header: Row, rows: Sequence[Row], *, title: str = "", err: bool = False) -> None:
    """Draw a table; columns of numbers are aligned to the right.

    Parameters
    ----------
    header : sequence of str
        Heads of the columns; all empty for a table without.
    rows : sequence of sequence of str
        Cells, as many in each row. A file's name in them cannot forge lines or colours.
    title : str, default=""
        What stands above it.
    err : bool, default=False
        Draw on standard error.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    look = box.SIMPLE_HEAD if any(header) else None
    table = Table(
        title=Text(title, "bold") if title else None,
        title_justify="left",
        box=look,
        show_header=any(header),
        pad_edge=False,
    )
    for number, head in enumerate(header):
        numbers = bool(head) and number > 0 and all(_NUMBER.match(row[number]) for row in rows)
        table.add_column(Text(head), justify="right" if numbers else "left")
    for row in rows:
        # As Text, so that brackets are not taken for markup.
        table.add_row(*(Text(shown(cell)) for cell in row))
    Console(stderr=err).print(table)


def write_pairs(pairs: Mapping[str, str]) -> None:
    """Write names and values: drawn on a terminal, in two columns elsewhere."""
    if on_terminal():
        draw_table(("", ""), list(pairs.items()))
        return
    for name, value in pairs.items():
        click.echo(f"{name:<16} {value}")


def show_evaluation(report: EvaluationReport) -> None:
    """Write a report: its tables drawn on a terminal, as text elsewhere."""
    if not on_terminal():
        click.echo(report)
        return
    from mri_tumor.evaluation.render import footnotes, headings, tables

    _echo(headings(report))
    for title, header, rows in tables(report):
        click.echo()
        draw_table(header, rows, title=title)
    _echo(footnotes(report))


def show_paired(result: Any) -> None:
    """Write a `Comparison` or a `LeakMeasurement`: drawn on a terminal, as text elsewhere."""
    if not on_terminal():
        click.echo(result)
        return
    _echo(result.headings())
    click.echo()
    draw_table(*result.table())
    _echo(result.tests())


def show_audit(report: AuditReport) -> None:
    """Write an audit: its tables drawn on a terminal, as text elsewhere."""
    if not on_terminal():
        click.echo(report)
        return
    from mri_tumor.data.audit_text import parts

    for rows, lines in parts(report):
        if rows:
            draw_table(rows[0], rows[1:])
        _echo(lines)
        click.echo()


def show_markdown(text: str) -> None:
    """Write Markdown: drawn on a terminal, as it is elsewhere."""
    if not on_terminal():
        click.echo(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))


def _echo(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
