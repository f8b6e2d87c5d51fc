"""`mri-tumor explain`."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.cli.options import (
    STRICT_FAILED,
    inputs_argument,
    json_option,
    load_model,
    load_predictor,
    model_option,
    write_json,
)

if TYPE_CHECKING:
    from mri_tumor.explain.heatmap import Heatmap
    from mri_tumor.images.scans import Scan

# Slices of a volume that are drawn, beside those that decided.
_SHOWN = 15
# Methods that need no framework and one pass.
_QUICK = ("grad_cam", "head_cam")


@click.command()
@inputs_argument
@model_option
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("heatmaps"),
    show_default=True,
    help="Folder for the pictures; none that is there is replaced.",
)
@click.option("--no-pictures", is_flag=True, help="Write no pictures.")
@click.option(
    "--method",
    help="Explanation method; by default layer_cam over three layers, without TensorFlow what the "
    "model names.",
)
@click.option(
    "--target",
    default="likeliest_tumor",
    show_default=True,
    help="Class to explain, or 'tumor' for all tumour classes together.",
)
@click.option(
    "--plane",
    type=click.Choice(["axial", "coronal", "sagittal"]),
    help="How to cut NIfTI volumes; axial by default.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 if an image was refused or unreadable.")
@json_option
def explain(
    inputs: tuple[Path, ...],
    model: str,
    output: Path,
    method: str | None,
    target: str,
    *,
    plane: Any,
    no_pictures: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Show where in images the evidence for a class lies: a picture and a row for each.

    INPUT is an image file or a folder of them. A volume gets one picture of its slices side by
    side, the ones that decided among them.

    \b
    Examples:
      mri-tumor explain scan.png --output heatmaps/
      mri-tumor explain scans/ --target glioma --json
    """
    from mri_tumor.answers.volumes import slices_that_decided
    from mri_tumor.assessment import NOTICE
    from mri_tumor.errors import ImageError
    from mri_tumor.images.scans import find_scans

    scans = find_scans(inputs, plane=plane, on_skip=lambda *_: None)
    first = next(scans, None)
    if first is None:
        raise ImageError(f"{inputs[0]}: there is no image in this folder. Check the path.")
    classifier, method = _explainer(model, method)
    n_scans = n_bad = 0
    for number, scan in enumerate(chain([first], scans)):
        *slices, row = next(iter(classifier.assess_scans([scan])))
        found: dict[str, Any] = {"method": method or "layer_cam", "target": None, "peak": None}
        n_scans += 1
        picture = None if no_pictures else _place(output, scan.name, number)
        if row["label"] is None:
            n_bad += 1
        elif row.get("kind") == "volume":
            decided = slices_that_decided(row, slices)
            found |= _explain_volume(
                classifier, scan, decided, len(slices), picture, target, method
            )
        else:
            heatmap = classifier.explain([scan.name], target=target, method=method)[0]
            found.update(target=heatmap.target, peak=_peak(heatmap))
            if picture is not None:
                heatmap.save(picture)
                found["picture"] = str(picture)
        if as_json:
            write_json({**row, **found})
        else:
            _show(row, found)
    if not as_json:
        images = f"{n_scans} image{'' if n_scans == 1 else 's'}"
        click.echo(f"{images}, {n_bad} without a heatmap. {NOTICE}", err=True)
    return STRICT_FAILED if strict and n_bad else 0


def _explainer(model: str, method: str | None) -> tuple[Any, str | None]:
    """Load what explains by a method; some the runtime can."""
    from mri_tumor.bundle import find_bundle, read_bundle
    from mri_tumor.runtime.predictor import has_keras_model

    if method is None and (
        find_spec("tensorflow") is None or not has_keras_model(read_bundle(find_bundle(model)))
    ):
        predictor = load_predictor(model)
        return predictor, predictor.explanation_
    if method is not None and method.lower().replace("-", "_") in _QUICK:
        return load_predictor(model), method
    return load_model(model), method


def _explain_volume(  # noqa: PLR0917
    classifier: Any,
    scan: Scan,
    run: list[int],
    n_slices: int,
    picture: Path | None,
    target: str,
    method: str | None,
) -> dict[str, Any]:
    """Draw slices across a volume, those that decided among them; say where the evidence peaks."""
    from PIL import Image

    from mri_tumor.errors import ImageError
    from mri_tumor.explain.sheets import sheet
    from mri_tumor.files import write_whole

    spread = {round(at * (n_slices - 1) / (_SHOWN - 1)) for at in range(_SHOWN)}
    run = run[:_SHOWN]
    wanted = sorted(spread.union(run) if n_slices > _SHOWN else range(n_slices))
    heatmaps: dict[int, Heatmap] = {}
    assert scan.open is not None  # noqa: S101
    with scan.open() as volume:
        for at in wanted:
            # A slice that cannot be read decided nothing.
            with suppress(ImageError):
                heatmaps[at] = classifier.explain([volume[at]], target=target, method=method)[0]
    decided = [at for at in run if at in heatmaps]
    middle = decided[len(decided) // 2]
    found: dict[str, Any] = {"target": heatmaps[middle].target, "peak": _peak(heatmaps[middle])}
    found["peak_slice"] = middle
    if picture is not None:
        captions = [f"slice {at}{' *' if at in run else ''}" for at in heatmaps]
        pixels = sheet(list(heatmaps.values()), captions=captions, side_by_side=False)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="PNG")
        write_whole(picture, lambda file: file.write(buffer.getvalue()))
        found["picture"] = str(picture)
    return found


def _peak(heatmap: Heatmap) -> list[float] | None:
    return None if heatmap.peak is None else [round(value, 4) for value in heatmap.peak]


def _place(output: Path, name: str, number: int) -> Path:
    """Return a name of its own for a picture, even where two folders or runs share file names."""
    output.mkdir(parents=True, exist_ok=True)
    # Most file systems take names of 255 bytes.
    stem = os.fsdecode(os.fsencode(Path(name).stem)[:200])
    place, again = output / f"{number + 1:05d}-{stem}.png", 1
    while place.exists():
        again += 1
        place = output / f"{number + 1:05d}-{stem}-{again}.png"
    return place


def _show(row: dict[str, Any], found: dict[str, Any]) -> None:
    from mri_tumor.images.messages import shown

    name = shown(row["file"])
    if row["label"] is None:
        click.echo(f"{name}\t{row['status']}\t\t{row['message']}")
        return
    place = (
        "no evidence" if found["peak"] is None else "peak at {:.2f}, {:.2f}".format(*found["peak"])
    )
    if "peak_slice" in found:
        place += f" of slice {found['peak_slice']}"
    click.echo(
        f"{name}\t{row['label']}\t{row['tumor_probability']:.4f}\t{found['target']}: {place}"
    )
