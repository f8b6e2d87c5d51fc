"""The manual of the command line, made of the same text as ``--help``.

``python -m mri_tumor.cli.manual > docs/reference/cli.md`` writes it anew.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = """\
# Command line

`mri-tumor COMMAND --help` shows the same. This page is made by `python -m mri_tumor.cli.manual`.

`mri-tumor --completion bash` writes a script that completes commands, options and names in the
shell; `eval "$(mri-tumor --completion bash)"` in `~/.bashrc` loads it (zsh and fish likewise).
"""


def manual(group: click.Group) -> str:
    """Write the manual of a group of commands.

    Parameters
    ----------
    group : click.Group
        The group.

    Returns
    -------
    str
        Markdown.
    """
    lines = [_START, *_text(group), *_parameters(group)]
    for name, command in group.commands.items():
        usage = " ".join(command.collect_usage_pieces(click.Context(command)))
        lines += [f"## {name}", "", "```", f"mri-tumor {name} {usage}", "```", ""]
        lines += [*_text(command), *_parameters(command)]
    return "\n".join(lines).rstrip() + "\n"


def _text(command: click.Command) -> Iterator[str]:
    """Yield the paragraphs of a command's help; those whose lines are kept become code."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if not paragraph.startswith("\b"):
            yield from (_plain(paragraph), "")
            continue
        first, *rest = paragraph.lstrip("\b\n").splitlines()
        if first.startswith("Example"):
            yield from (first, "", "```", *(line.strip() for line in rest), "```", "")
        else:
            yield from (_plain("\n".join([first, *rest])), "")


def _parameters(command: click.Command) -> Iterator[str]:
    rows = [row for parameter in command.params if (row := _row(parameter)) is not None]
    if rows:
        yield from ("| option | meaning | default |", "|---|---|---|", *rows, "")


def _row(parameter: click.Parameter) -> str | None:
    if not isinstance(parameter, click.Option) or parameter.hidden:
        return None
    metavar = "" if parameter.is_flag else _metavar(parameter)
    names = ", ".join(
        f"`{name}{metavar}`" for name in (*parameter.opts, *parameter.secondary_opts)
    )
    default = parameter.default if parameter.show_default else None
    if isinstance(default, tuple):
        default = ", ".join(map(str, default))
    # Older and newer versions of click say in other ways that there is none.
    shown = "" if default in (None, "") or "UNSET" in repr(default) else f"`{default}`"
    return f"| {names} | {_cell(parameter.help or '')} | {shown} |"


def _metavar(option: click.Option) -> str:
    kind: Any = option.type
    if option.metavar:
        return f" {option.metavar}"
    if isinstance(kind, click.Choice):
        return f" [{'/'.join(map(str, kind.choices))}]"
    numbers = click.types.FloatParamType | click.types.IntParamType
    if isinstance(kind, numbers):
        return " NUMBER"
    return " PATH" if isinstance(kind, click.Path) else " TEXT"


def _cell(text: str) -> str:
    return _plain(" ".join(text.split())).replace("|", "\\|")


def _plain(text: str) -> str:
    """Keep Markdown from reading stars and angle brackets."""
    text = text.replace("``", "`")
    return re.sub(r"([*<>])", r"\\\1", text)


if __name__ == "__main__":
    from mri_tumor.cli.main import commands

    click.echo(manual(commands), nl=False)
