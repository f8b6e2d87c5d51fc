"""Tables for the eyes on a terminal, and for other programs elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mri_tumor.images.messages import shown

if TYPE_CHECKING:
    from collections.abc import Sequence


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to standard output: drawn on a terminal, tab-separated lines elsewhere.

    Parameters
    ----------
    header : sequence of str
        Heads of the columns; left out where lines are tab-separated.
    rows : sequence of sequence of str
        Cells, as many in each row.
    """
    safe = [[shown(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in safe:
            click.echo("\t".join(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in safe:
        # As Text, so that brackets are not taken for markup.
        table.add_row(*map(Text, row))
    Console().print(table)
