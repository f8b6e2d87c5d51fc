"""`mri-tumor cache`."""

from __future__ import annotations

import time

import click

from mri_tumor.cli.options import json_option, write_json
from mri_tumor.cli.tables import write_table


@click.command()
@click.option("--clear", is_flag=True, help="Remove all of it.")
@json_option
def cache(*, clear: bool, as_json: bool) -> None:
    """Show what trainings keep of the frozen part for one another, or remove it.

    MRI_TUMOR_CACHE names another folder; MRI_TUMOR_CACHE_LIMIT sets the limit in gigabytes (10
    unless told otherwise; 0 keeps nothing). What was used least recently goes first.

    \b
    Examples:
      mri-tumor cache
      mri-tumor cache --clear
    """
    from mri_tumor.caching import Cache

    store = Cache()
    removed = store.clear() if clear else (0, 0)
    entries = store.entries()
    if as_json:
        write_json(
            {
                "folder": str(store.folder),
                "limit_bytes": store.limit,
                "size_bytes": sum(entry.n_bytes for entry in entries),
                "removed_entries": removed[0],
                "removed_bytes": removed[1],
                "entries": [
                    {
                        "key": entry.key,
                        "size_bytes": entry.n_bytes,
                        "used": entry.used,
                        **entry.about,
                    }
                    for entry in entries
                ],
            },
            indent=2,
        )
        return
    if clear:
        click.echo(f"Removed {removed[0]} entries, {removed[1] / 1e6:,.0f} MB.")
    size = sum(entry.n_bytes for entry in entries)
    click.echo(
        f"{store.folder}: {len(entries)} entries, {size / 1e6:,.0f} MB of at most "
        f"{store.limit / 1e6:,.0f} MB"
    )
    if entries:
        write_table(
            ["entry", "MB", "last used", "images", "variants"],
            [
                [
                    entry.key[:12],
                    f"{entry.n_bytes / 1e6:,.0f}",
                    time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used)),
                    str(entry.about.get("images", "?")),
                    str(entry.about.get("variants", "?")),
                ]
                for entry in entries
            ],
        )
