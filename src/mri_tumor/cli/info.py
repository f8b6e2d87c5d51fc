"""`mri-tumor info`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from mri_tumor import __version__
from mri_tumor.cli.options import json_option, model_option, write_json
from mri_tumor.cli.tables import write_pairs

_PACKAGES = ("keras", "tensorflow", "ai-edge-litert", "numpy", "pillow", "scikit-learn", "pydicom")


@click.command()
@model_option
@json_option
def info(model: str, *, as_json: bool) -> None:
    """Show versions and the model in use.

    \b
    Examples:
      mri-tumor info
      mri-tumor info --model my-model --json
    """
    from mri_tumor.assessment import NOTICE
    from mri_tumor.bundle import find_bundle, read_bundle

    bundle = read_bundle(find_bundle(model))
    content = bundle.metadata
    versions = {"mri-tumor": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    found = {
        "notice": NOTICE,
        "versions": versions,
        "model": {
            "path": str(bundle.path),
            "size_bytes": bundle.n_bytes,
            "format_version": content["format_version"],
            "created": content.get("created"),
            "backbone": content["backbone"]["name"],
            "classes": list(content["classes"]),
            "threshold": content["threshold"],
            "temperature": content.get("temperature", 1.0),
            "operating_point": content.get("operating_point"),
            "conformal": content.get("conformal"),
            "input_size": content["preprocessing"]["size"],
            "metrics": content.get("metrics", {}),
        },
    }
    if as_json:
        write_json(found, indent=2)
        return
    about = {"model": f"{bundle.path} ({bundle.n_bytes / 1e6:.1f} MB)"}
    for name in ("backbone", "input_size", "threshold", "temperature", "created"):
        about[name] = str(found["model"][name])  # type: ignore[index]
    about["classes"] = ", ".join(content["classes"])
    for rows in (versions, about):
        write_pairs(rows)
        click.echo()
    click.echo(NOTICE)
