"""`mri-tumor backbones`."""

from __future__ import annotations

from typing import Any

import click

from mri_tumor.cli.options import json_option, write_json
from mri_tumor.cli.tables import write_table


@click.command()
@json_option
def backbones(*, as_json: bool) -> None:
    """List the backbones that a model can be built on.

    Options follow a name: `mri-tumor train scans/ --backbone MobileNetV2:alpha=0.5`.

    \b
    Examples:
      mri-tumor backbones
      mri-tumor backbones --json
    """
    from mri_tumor.backbones import get_backbone, list_backbones
    from mri_tumor.errors import BackboneError

    rows: list[dict[str, Any]] = []
    for name, package in list_backbones().items():
        row: dict[str, Any] = {
            "name": name,
            "input_size": None,
            "weights": [],
            "package": package,
            "finetune_layers": None,
            "options": {},
            "error": None,
        }
        try:
            spec = get_backbone(name)
        except BackboneError as error:
            row["error"] = str(error)
        else:
            row.update(
                input_size=spec.input_size,
                weights=list(spec.weights),
                finetune_layers=spec.finetune_layers,
                # What a plugin takes may be no plain value.
                options={
                    key: value if isinstance(value, (bool, int, float)) else str(value)
                    for key, value in spec.options.items()
                },
            )
        rows.append(row)
    if as_json:
        write_json(rows, indent=2)
        return
    cells = [
        [
            row["name"],
            row["error"] or f"{row['input_size']} px",
            ", ".join(row["weights"]) or "none",
            " ".join(f"{key}={value}" for key, value in row["options"].items()),
            row["package"],
        ]
        for row in rows
    ]
    write_table(["name", "input", "weights", "options", "package"], cells)
