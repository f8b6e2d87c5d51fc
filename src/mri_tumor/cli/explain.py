"""`mri-tumor explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from mri_tumor.explain.heatmap import Heatmap


@click.command()
@inputs_argument
@model_option
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("heatmaps"),
    show_default=True,
    help="Folder for the pictures.",
)
@click.option("--no-pictures", is_flag=True, help="Write no pictures.")
@click.option("--method", default="grad_cam", show_default=True, help="Explanation method.")
@click.option(
    "--target",
    default="likeliest_tumor",
    show_default=True,
    help="Class to explain, or 'tumor' for all tumour classes together.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 if an image was refused or unreadable.")
@json_option
def explain(
    inputs: tuple[Path, ...],
    model: str,
    output: Path,
    method: str,
    target: str,
    *,
    no_pictures: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Show where in images the evidence for a class lies: a picture and a row for each.

    INPUT is an image file or a folder of them.

    \b
    Examples:
      mri-tumor explain scan.png --output heatmaps/
      mri-tumor explain scans/ --target glioma --json
    """
    from mri_tumor.assessment import NOTICE
    from mri_tumor.errors import ImageError

    files = list(expand(inputs))
    if not files:
        raise ImageError(f"{inputs[0]}: there is no image in this folder. Check the path.")
    classifier = load_model(model)
    n_bad = 0
    for number, file in enumerate(files):
        row = classifier.assess([file])[0]
        found: dict[str, Any] = {"method": method, "target": None, "peak": None}
        if row.label is None:
            n_bad += 1
        else:
            heatmap = classifier.explain([file], target=target, method=method)[0]
            found.update(target=heatmap.target, peak=_peak(heatmap))
            if not no_pictures:
                found["picture"] = str(_write(heatmap, output, file, number))
        if as_json:
            write_json({**row.to_dict(), **found})
        else:
            _show(row, found)
    if not as_json:
        click.echo(f"{len(files)} images, {n_bad} without a heatmap. {NOTICE}", err=True)
    return STRICT_FAILED if strict and n_bad else 0


def _peak(heatmap: Heatmap) -> list[float] | None:
    return None if heatmap.peak is None else [round(value, 4) for value in heatmap.peak]


def _write(heatmap: Heatmap, output: Path, file: str, number: int) -> Path:
    """Write a picture under a name of its own, even where two folders share file names."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{number + 1:05d}-{Path(file).stem}.png"
    heatmap.save(path)
    return path


def _show(row: Any, found: dict[str, Any]) -> None:
    if row.label is None:
        click.echo(f"{row.file}\t{row.status}\t\t{row.message}")
        return
    place = (
        "no evidence" if found["peak"] is None else "peak at {:.2f}, {:.2f}".format(*found["peak"])
    )
    click.echo(f"{row.file}\t{row.label}\t{row.tumor_probability:.4f}\t{found['target']}: {place}")
