"""`mri-tumor predict` into a folder of parts, for archives of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mri_tumor.cli.options import write_json

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path


def is_archive_run(inputs: Sequence[str], output: Path | None, engine: str | None) -> bool:
    """Say whether answers go into a folder of parts, and refuse what goes together with nothing.

    Parameters
    ----------
    inputs : sequence of str
        As given.
    output : Path or None
        As given; a path without an ending is a folder.
    engine : str or None
        As given.

    Returns
    -------
    bool
        False for the screen and for one file.

    Raises
    ------
    click.UsageError
        If an engine or a URL comes without a folder.
    """
    from mri_tumor.scale.places import is_url

    folder = output is not None and (output.is_dir() or not output.suffix)
    if folder:
        return True
    if engine is not None:
        raise click.UsageError(
            "--engine writes a folder of parts: name it by --output FOLDER, without an ending."
        )
    url = next((name for name in inputs if is_url(name)), None)
    if url is not None:
        raise click.UsageError("A URL is scored into a folder: name it by --output FOLDER.")
    return False


def predict_archive(
    inputs: Sequence[str], output: Path, *, as_json: bool, **settings: Any
) -> Counter[str]:
    """Score into a folder, and tell how it went.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders, shards and URLs.
    output : Path
        The folder.
    as_json : bool
        Write the report to standard output as JSON.
    **settings
        As in `score_dataset`.

    Returns
    -------
    Counter of str
        Images by status.
    """
    from mri_tumor.images.messages import shown
    from mri_tumor.scale import score_dataset

    try:
        report = score_dataset(inputs, output, show_progress=True, **settings)
    except KeyboardInterrupt:
        click.echo("Stopped. The same command with --resume goes on.", err=True)
        raise
    if report.resumed:
        click.echo(f"{report.resumed} of {report.parts} parts were there already.", err=True)
    if as_json:
        write_json(report.to_dict())
    else:
        click.echo(str(report), err=True)
    for reason in report.left_out:
        click.echo(f"left out: {shown(reason)}", err=True)
    if report.n_left_out > len(report.left_out):
        click.echo(f"left out: {report.n_left_out - len(report.left_out)} more", err=True)
    return report.counts
