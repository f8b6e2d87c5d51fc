"""`mri-tumor leak`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.cli.labelled_data import data_argument
from mri_tumor.cli.options import json_option, seed_option, write_json
from mri_tumor.cli.tables import show_paired

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@data_argument
@click.option("--task", type=click.Choice(["binary", "four"]), help="What to tell apart.")
@click.option("--backbone", default="MobileNetV2", show_default=True, help="Name of a backbone.")
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="imagenet, brain-mri, none, or the path of a weights file.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Most epochs of the head: 1 before fine-tuning, else 50, unless given.",
)
@click.option("--finetune-epochs", type=click.IntRange(min=0), default=3, show_default=True)
@click.option("--head-only", is_flag=True, help="Do not fine-tune: much quicker.")
@click.option(
    "--folds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="1 tests on 15% of the images; more test on every image once.",
)
@seed_option
@json_option
def leak(
    data: tuple[Path, ...],
    task: str | None,
    weights: str,
    *,
    finetune_epochs: int,
    head_only: bool,
    folds: int,
    seed: int,
    as_json: bool,
    **settings: Any,
) -> int:
    """Measure how much a leaky split flatters a model.

    Trains the same recipe twice for the same test images: on images dealt out one by one, and
    on images none of which is a near-duplicate of a test image or of the same patient. Prints
    both with 95% intervals, and the difference.

    DATA is a folder with one folder per class, or a CSV file, as for `train`; parts that they
    name are ignored.

    \b
    Examples:
      mri-tumor leak scans/ --head-only
      mri-tumor leak scans/ --folds 5 --json > leak.json
    """
    from mri_tumor.backbones import get_backbone

    get_backbone(settings["backbone"])  # a mistyped name, told before all images are read
    from mri_tumor.framework import load_quietly

    load_quietly()
    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.data import load_dataset
    from mri_tumor.leakage import measure_leak

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = load_dataset(list(data) if len(data) > 1 else data[0], task=task, split="new")
    for one in caught:
        if issubclass(one.category, UserWarning):
            click.echo(f"warning: {one.message}", err=True)
    recipe = TumorClassifier(
        weights=None if weights == "none" else weights,
        finetune_epochs=0 if head_only else finetune_epochs,
        seed=seed,
        verbose=1,
        **settings,
    )
    found = measure_leak(
        recipe,
        dataset,
        n_folds=folds,
        seed=seed,
        say=lambda text: click.echo(text, err=True),
    )
    if as_json:
        write_json({"recipe": _described(recipe), **found.to_dict()}, indent=2)
    else:
        show_paired(found)
    return 0


def _described(recipe: Any) -> dict[str, Any]:
    names = ("backbone", "weights", "epochs", "finetune_epochs", "augmentation", "seed")
    return {name: getattr(recipe, name) for name in names}
