"""`mri-tumor predict`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mri_tumor.cli.options import (
    STRICT_FAILED,
    expand,
    inputs_argument,
    json_option,
    load_model,
    model_option,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@inputs_argument
@model_option
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Smallest probability of a tumour that counts as one, instead of the model's own.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 if an image was refused or unreadable.")
@json_option
def predict(
    inputs: tuple[Path, ...], model: str, *, threshold: float | None, strict: bool, as_json: bool
) -> int:
    """Say what images show: one row for each, in order.

    INPUT is an image file or a folder of them.

    \b
    Examples:
      mri-tumor predict scan.png
      mri-tumor predict scans/ --json > answers.jsonl
    """
    from mri_tumor.assessment import NOTICE
    from mri_tumor.errors import ImageError

    files = list(expand(inputs))
    if not files:
        raise ImageError(f"{inputs[0]}: there is no image in this folder. Check the path.")
    classifier = load_model(model)
    n_bad = 0
    for row in classifier.assess_each(files, threshold=threshold):
        n_bad += row.status in {"error", "refused"}
        if as_json:
            write_json(row.to_dict())
        elif row.label is None:
            click.echo(f"{row.file}\t{row.status}\t\t{row.message}")
        else:
            click.echo(f"{row.file}\t{row.label}\t{row.tumor_probability:.4f}\t{row.status}")
    if not as_json:
        click.echo(f"{len(files)} images, {n_bad} without an answer. {NOTICE}", err=True)
    return STRICT_FAILED if strict and n_bad else 0
