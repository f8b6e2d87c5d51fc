"""What a person sees while long work goes on: on a terminal, and on standard error only."""

from __future__ import annotations

import contextlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(
    description: str, total: int | None, *, show: bool = True, unit: str = "images"
) -> Iterator[Callable[..., None]]:
    """Show a bar with rate and time left while the block runs.

    Parameters
    ----------
    description : str
        What is being done.
    total : int or None
        Number of units in all, if known.
    show : bool, default=True
        False shows nothing; nor is anything shown when standard error is no terminal, or rich is
        not installed.
    unit : str, default="images"
        What is counted.

    Yields
    ------
    callable
        ``advance(count, note="", total=None)`` moves the bar on, shows a short note behind it,
        and sets the number of units once that is known.
    """
    # An install for predicting alone has no rich.
    if not (show and sys.stderr.isatty() and find_spec("rich")):
        yield _advance_nothing
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        """Units per second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.0f} {unit}/s" if task.speed else "", style="dim")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, note="")

        def advance(count: int, note: str = "", total: int | None = None) -> None:
            progress.update(task, advance=count, note=note, total=total)

        yield advance


def _advance_nothing(_count: int, _note: str = "", total: int | None = None) -> None:
    """Stand in for a bar that is not shown."""


def say(text: str, *, show: bool = True) -> None:
    """Write one line to standard error, unless `show` is False."""
    if show:
        print(text, file=sys.stderr, flush=True)  # noqa: T201
