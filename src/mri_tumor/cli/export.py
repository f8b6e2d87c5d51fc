"""`mri-tumor export`."""

from __future__ import annotations

from pathlib import Path

import click

from mri_tumor.cli.options import expand, json_option, write_json

# As in `mri_tumor.export.FORMATS`, which need not be loaded to show the help.
FORMATS = ("litert", "litert-int8", "onnx", "onnx-int8", "openvino", "saved-model")


@click.command()
@click.argument("model", metavar="MODEL")
@click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="litert",
    show_default=True,
    help="What to write; int8 is smaller and quicker, and changes some answers.",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write.",
)
@click.option(
    "--calibration",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Images such as the model was trained on: a part sets the ranges of int8, the others "
    "check the result. Phantoms without it.",
)
@click.option(
    "--max-changed",
    type=click.FloatRange(0, 1),
    default=0.005,
    show_default=True,
    help="Write nothing if labels change on a larger share of images.",
)
@json_option
def export(
    model: str,
    format_: str,
    output: Path,
    calibration: Path | None,
    *,
    max_changed: float,
    as_json: bool,
) -> None:
    """Write a model for another runtime, once it is shown to answer the same.

    MODEL is a saved model, or the name of one that ships with the library. The folder holds all
    that answering needs: `mri-tumor predict --model FOLDER` uses it without TensorFlow. Only a
    saved-model is for TensorFlow's own tools.

    \b
    Examples:
      mri-tumor export brain-mri --format onnx --output brain-mri-onnx
      mri-tumor export my-model --format litert-int8 --calibration scans/ --output small
    """
    from mri_tumor.assessment import NOTICE
    from mri_tumor.bundle import find_bundle, read_bundle
    from mri_tumor.bundle_writing import check_target
    from mri_tumor.errors import ImageError
    from mri_tumor.framework import load_quietly

    read_bundle(find_bundle(model))  # told before TensorFlow is loaded
    check_target(output, for_export=True)
    files = None if calibration is None else list(expand([calibration]))
    if files is not None and not files:
        raise ImageError(f"{calibration}: there is no image in this folder. Check the path.")
    load_quietly()
    from mri_tumor.export import export_model

    done = export_model(model, output, format=format_, calibration=files, max_changed=max_changed)
    if as_json:
        write_json(done.to_dict(), indent=2)
        return
    click.echo(f"{done.path}: {done.format}, {done.n_bytes / 1e6:.1f} MB; {done.agreement}.")
    if done.agreement.images == "phantoms" and format_.endswith("int8"):
        click.echo(
            "Calibrated on phantoms, which are no scans: give --calibration for better answers.",
            err=True,
        )
    click.echo(NOTICE, err=True)
