"""Help with names: suggestions for mistyped ones, completion in the shell."""

from __future__ import annotations

from typing import Any

import click

from mri_tumor.errors import suggestion

SHELLS = ("bash", "zsh", "fish")


class Commands(click.Group):
    """A group that says which command was perhaps meant, with older versions of click too."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that the arguments begin with."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = suggestion(args[0], self.list_commands(ctx)) if args else ""
            if not hint or "Did you mean" in error.message:
                raise
            raise click.UsageError(error.message + hint, ctx) from None


def show_completion(ctx: click.Context, _param: click.Parameter, shell: str | None) -> None:
    """Write the script that completes commands and options in a shell, and end."""
    if shell is None or ctx.resilient_parsing:
        return
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the option allows no other
    click.echo(found(ctx.command, {}, "mri-tumor", "_MRI_TUMOR_COMPLETE").source())
    ctx.exit()


def complete_backbones(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the backbones whose names begin so, whatever the case."""
    from mri_tumor.backbones import list_backbones

    return [name for name in list_backbones() if name.lower().startswith(incomplete.lower())]
