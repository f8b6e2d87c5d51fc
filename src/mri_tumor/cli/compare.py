"""`mri-tumor compare`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import click

from mri_tumor.cli.labelled_data import data_argument, load_labelled, part_option
from mri_tumor.cli.options import (
    STRICT_FAILED,
    json_option,
    load_model,
    seed_option,
    write_json,
)
from mri_tumor.cli.tables import show_paired

if TYPE_CHECKING:
    from pathlib import Path

_TWO = 2


@click.command()
@data_argument
@click.option(
    "--model",
    "models",
    metavar="FOLDER|NAME",
    multiple=True,
    required=True,
    help="A saved model, or the name of one that ships with the library; give it twice.",
)
@part_option
@click.option("--strict", is_flag=True, help="Exit with 3 at unusable files or trained-on images.")
@seed_option
@json_option
def compare(
    data: tuple[Path, ...],
    models: tuple[str, ...],
    part: str,
    *,
    seed: int,
    strict: bool,
    as_json: bool,
) -> int:
    """Compare two models on the same labelled images, pair by pair.

    Prints the second model minus the first with 95% intervals, and McNemar's test. Models of
    different classes are compared as to tumour or not.

    \b
    Example:
      mri-tumor compare scans/ --model old-model --model new-model
    """
    if len(models) != _TWO:
        raise click.UsageError(f"--model: give two models to compare. Received: {len(models)}.")
    first, second = (load_model(model) for model in models)
    richest = max((first, second), key=lambda model: len(model.classes_))
    dataset, notes = load_labelled(data, richest, part)
    from mri_tumor.comparing import compare_classifiers
    from mri_tumor.data import LeakWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        comparison = compare_classifiers(first, second, dataset, seed=seed)
    leaks = [str(one.message) for one in caught if issubclass(one.category, LeakWarning)]
    for note in [*notes, *leaks]:
        click.echo(f"warning: {note}", err=True)
    if as_json:
        seen = [model.overlap(dataset).n_near for model in (first, second)]
        write_json(
            {"models": list(models), **comparison.to_dict(), "n_trained_on": seen}, indent=2
        )
    else:
        for name, model in zip(("first ", "second"), models, strict=True):
            click.echo(f"{name}: {model}")
        show_paired(comparison)
    return STRICT_FAILED if strict and (leaks or dataset.problems) else 0
