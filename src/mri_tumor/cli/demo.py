"""`mri-tumor demo`."""

from __future__ import annotations

from pathlib import Path

import click

from mri_tumor.cli.options import json_option, seed_option, write_json


@click.command()
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="New folder for the images, the model and the figures.",
)
@click.option("--images", type=click.IntRange(min=80), default=320, show_default=True)
@seed_option
@json_option
def demo(output: Path, images: int, seed: int, *, as_json: bool) -> None:
    """Run the whole way on synthetic images, offline, in some minutes.

    Draws images, trains, fine-tunes, evaluates, predicts, explains, and saves the model and
    the figures.

    \b
    Examples:
      mri-tumor demo
      mri-tumor demo --output tried --images 160
    """
    from mri_tumor.framework import load_quietly

    load_quietly()
    from mri_tumor.demo import run_demo

    result = run_demo(
        output, n_images=images, seed=seed, say=lambda text: click.echo(text, err=as_json)
    )
    if as_json:
        write_json(
            {
                "folder": str(result.folder),
                "model": str(result.model),
                "figures": [str(path) for path in result.figures],
                "seconds": round(result.seconds, 1),
                "synthetic": True,
                "test": result.report.to_dict(),
            },
            indent=2,
        )
