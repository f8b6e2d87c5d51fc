"""Options of a command from a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import click

from mri_tumor.errors import suggestion


def read_config(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    """Take what a file says as the command's defaults; options on the command line win.

    Parameters
    ----------
    ctx : click.Context
        Of the command.
    path : Path or None
        TOML: the names of options without their dashes (``finetune-epochs = 6``), at the top
        or in a table named as the command.

    Raises
    ------
    click.UsageError
        If it is no TOML, or names an option that the command does not have.
    """
    if path is None:
        return
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--config: {path}: cannot be read as TOML ({error}).") from None
    own = content.pop(str(ctx.command.name), {})
    found: dict[str, Any] = {**content, **(own if isinstance(own, dict) else {})}
    names = _names(ctx.command)
    defaults: dict[str, Any] = {}
    for given, value in found.items():
        key = given.replace("_", "-")
        if key not in names:
            hint = suggestion(key, names)
            raise click.UsageError(
                f"--config: {path}: {ctx.command.name} has no option {given!r}.{hint}"
            )
        if isinstance(value, dict):
            raise click.UsageError(f"--config: {path}: {given!r} must be a value, not a table.")
        # click takes text where a command line would give it.
        defaults[names[key]] = value if isinstance(value, (bool, list)) else str(value)
    ctx.default_map = defaults


def _names(command: click.Command) -> dict[str, str]:
    """Return parameters by the names that a file may give them."""
    names: dict[str, str] = {}
    for parameter in command.params:
        own = str(parameter.name)
        if own in {"config", "as_json", "help"}:
            continue
        spelled = [opt.lstrip("-") for opt in parameter.opts if opt.startswith("--")]
        names |= dict.fromkeys(spelled or [own], own)
    return names


config_option = click.option(
    "--config",
    metavar="FILE.toml",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=read_config,
    help="Take options from this file; those on the command line go first.",
)
