"""`mri-tumor app`."""

from __future__ import annotations

import contextlib
import json
import sys

import click

from mri_tumor.cli.options import json_option


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    help="Port to listen on; 0 takes any that is free.",
)
@click.option(
    "--host",
    default="localhost",
    show_default=True,
    help="Address to listen on. Whoever reaches another than this computer's own can use the app.",
)
@click.option(
    "--model",
    "models",
    metavar="FOLDER|NAME",
    multiple=True,
    default=("brain-mri",),
    show_default=True,
    help="A saved model, or the name of one that ships. Several times to choose among them.",
)
@click.option(
    "--max-upload",
    type=click.IntRange(1, 4096),
    default=200,
    show_default=True,
    metavar="MB",
    help="Most megabytes of one file.",
)
@click.option("--browser", is_flag=True, help="Open it in the browser of this computer.")
@json_option
def app(
    port: int,
    host: str,
    models: tuple[str, ...],
    max_upload: int,
    *,
    browser: bool,
    as_json: bool,
) -> None:
    """Look at scans in a browser: answers, heatmaps, tables.

    Runs on this computer alone and needs no network. Files stay in memory. Stop it by Ctrl-C.
    Needs `pip install 'mri-tumor[app]'`.

    \b
    Examples:
      mri-tumor app
      mri-tumor app --port 0 --browser
      mri-tumor app --model my-model --model brain-mri
    """
    from mri_tumor.app import serve
    from mri_tumor.assessment import NOTICE

    out = sys.stdout

    def ready(url: str) -> None:
        found = {"url": url, "models": list(models), "notice": NOTICE}
        line = json.dumps(found) if as_json else f"Ready: {url}  (Ctrl-C stops it. {NOTICE})"
        click.echo(line, file=out)
        if browser:
            import webbrowser

            webbrowser.open(url)

    # Streamlit has something to say when it stops.
    with contextlib.redirect_stdout(sys.stderr):
        serve(port=port, host=host, models=models, max_upload_mb=max_upload, on_ready=ready)
