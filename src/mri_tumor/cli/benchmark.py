"""`mri-tumor benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mri_tumor.cli.labelled_data import data_argument
from mri_tumor.cli.options import STRICT_FAILED, json_option, write_json
from mri_tumor.cli.tables import show_markdown


@click.command()
@data_argument
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("mri-tumor-benchmark"),
    show_default=True,
    help="Folder for tables, picture and models; what is finished there is not done again.",
)
@click.option(
    "--backbone",
    "backbones",
    multiple=True,
    default=("MobileNetV2",),
    show_default=True,
    help="Name of a backbone; give it several times. The others are compared with the first.",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Trainings of each backbone.",
)
@click.option(
    "--weights",
    multiple=True,
    metavar="[BACKBONE=]WEIGHTS",
    default=("imagenet",),
    show_default=True,
    help="imagenet, brain-mri, none (from scratch), or a weights file: for all, or for one.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="Threads to time with; the first decides the Pareto front.",
)
@click.option("--task", type=click.Choice(["binary", "four"]), help="What to tell apart.")
@click.option(
    "--split",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use the parts in this file, which `audit --split` wrote, rather than a new split.",
)
@click.option(
    "--split-seed", type=click.IntRange(min=0), default=0, show_default=True,
    help="Seed of the split.",
)  # fmt: skip
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Most epochs of the head: 1 before fine-tuning, else 50, unless given.",
)
@click.option("--finetune-epochs", type=click.IntRange(min=0), default=3, show_default=True)
@click.option("--head-only", is_flag=True, help="Do not fine-tune: much quicker.")
@click.option("--patience", type=click.IntRange(min=1), default=10, show_default=True)
@click.option(
    "--variants",
    "n_variants",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Variants of each image to train on; time grows with them.",
)
@click.option(
    "--augmentation",
    type=click.Choice(["mixed", "standard", "robust", "none"]),
    default="mixed",
    show_default=True,
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True)
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), default=1e-3, show_default=True
)
@click.option(
    "--finetune-learning-rate",
    type=click.FloatRange(0, min_open=True),
    default=4e-4,
    show_default=True,
)
@click.option(
    "--input-size",
    type=click.IntRange(min=32),
    help="Side of the input in pixels for all; each backbone's own by default.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 if a cell failed or the split leaks.")
@json_option
def benchmark(
    data: tuple[Path, ...],
    output: Path,
    *,
    backbones: tuple[str, ...],
    seeds: int,
    weights: tuple[str, ...],
    threads: tuple[int, ...],
    task: str | None,
    split: Path | None,
    split_seed: int,
    finetune_epochs: int,
    head_only: bool,
    augmentation: str,
    strict: bool,
    as_json: bool,
    **settings: Any,
) -> int:
    """Compare backbones: accuracy, size, speed and memory, over several seeds.

    All are trained by one recipe on one split by group. Prints accuracy, macro F1 and AUC with
    95% intervals, paired differences from the first backbone, and what each costs; draws
    accuracy against latency. Only backbones from ImageNet weights enter the Pareto front.

    DATA is a folder with one folder per class, or a CSV file, as for `train`; parts that they
    name are ignored. A benchmark that was stopped, or killed, goes on by the same command, and
    backbones or seeds can be added. A backbone that fails is reported, the others go on.

    \b
    Examples:
      mri-tumor benchmark scans/ --backbone MobileNetV2 --backbone EfficientNetB0
      mri-tumor benchmark scans/ --backbone MobileNetV2 --backbone Xception \\
          --weights Xception=none --seeds 5 --variants 2 --epochs 20
    """
    chosen = _weights(weights, backbones)
    from mri_tumor.framework import load_quietly

    load_quietly()
    from mri_tumor.benchmark import run_benchmark
    from mri_tumor.cli.train import load

    dataset, notes = load(data, task=task, split=split or "new", strict=False, seed=split_seed)
    click.echo(dataset.summary(), err=True)
    for note in notes:
        click.echo(f"warning: {note}", err=True)
    result = run_benchmark(
        dataset,
        backbones,
        output=output,
        seeds=seeds,
        weights=chosen,
        threads=threads,
        say=lambda text: click.echo(text, err=True),
        finetune_epochs=0 if head_only else finetune_epochs,
        augmentation=None if augmentation == "none" else augmentation,
        verbose=1,
        **settings,
    )
    if as_json:
        write_json(result.to_dict(), indent=2)
    else:
        show_markdown(result.to_markdown())
        click.echo(f"\nTables, picture and models: {output}")
    return STRICT_FAILED if strict and (result.n_failed or dataset.leaks) else 0


def _weights(given: tuple[str, ...], backbones: tuple[str, ...]) -> dict[str, str | None]:
    """Return the weights of each backbone; what names none of them is for all others."""
    named: dict[str, str] = {}
    for_all: list[str] = []
    # Names can hold the sign themselves: "MobileNetV2:alpha=0.5=imagenet".
    longest_first = sorted(backbones, key=len, reverse=True)
    for text in given:
        owner = next((name for name in longest_first if text.startswith(f"{name}=")), None)
        if owner is None:
            for_all.append(text)
        else:
            named[owner] = text.removeprefix(f"{owner}=")
    if len(for_all) > 1:
        message = (
            f"--weights: {for_all[0]!r} and {for_all[1]!r} are both for all backbones. Write "
            "BACKBONE=WEIGHTS with one of the backbones given."
        )
        raise click.UsageError(message)
    common = for_all[0] if for_all else "imagenet"
    found = {name: named.get(name, common) for name in backbones}
    return {name: None if one == "none" else one for name, one in found.items()}
