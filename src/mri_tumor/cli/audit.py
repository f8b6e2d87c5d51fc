"""`mri-tumor audit`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import click

from mri_tumor.cli.options import STRICT_FAILED, json_option, png_name, seed_option
from mri_tumor.cli.tables import show_audit


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--task", type=click.Choice(["binary", "four"]), help="What is to be told apart.")
@click.option(
    "--split",
    "split_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a split that has no leak here.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=png_name,
    help="Draw the worst pairs of copies here (PNG). It shows the scans themselves.",
)
@click.option("--no-shortcuts", is_flag=True, help="Leave out the shortcut check.")
@click.option("--strict", is_flag=True, help="Exit with 3 at leaks, contradictions or bad files.")
@seed_option
@json_option
def audit(
    data: tuple[Path, ...],
    task: str | None,
    split_file: Path | None,
    picture: Path | None,
    seed: int,
    *,
    no_shortcuts: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Look for copies, contradictions, leaks and shortcuts in a data set.

    DATA is a folder with one folder per class, or a CSV file, as for `train`.

    \b
    Examples:
      mri-tumor audit scans/
      mri-tumor audit scans/ --split split.json --json
    """
    from mri_tumor.data import audit_dataset

    source: Any = list(data) if len(data) > 1 else data[0]
    options: dict[str, Any] = {"max_images": 0} if no_shortcuts else {}
    with warnings.catch_warnings():
        # What the warnings tell is in the report.
        warnings.simplefilter("ignore", UserWarning)
        report = audit_dataset(source, task=task, seed=seed, **options)
    if split_file:
        report.write_split(split_file, seed=seed)
    found = json.loads(report.to_json())
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        show_audit(report)
    if picture and report.pairs:
        from mri_tumor.figures import as_png
        from mri_tumor.files import write_whole

        pixels = as_png(report.plot_pairs())
        write_whole(picture, lambda file: file.write(pixels))
    elif picture:
        click.echo(f"{picture}: not written, for there are no copies to draw.", err=True)
    bad = found["leaks"] or found["label_conflicts"] or report.dataset.problems
    return STRICT_FAILED if strict and bad else 0
