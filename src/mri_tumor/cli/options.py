"""Options and helpers that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from mri_tumor.images.listing import list_images

F = TypeVar("F", bound=Callable[..., Any])

STRICT_FAILED = 3

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write JSON to standard output, and nothing else."
)
model_option = click.option(
    "--model",
    metavar="FOLDER|NAME",
    default="brain-mri",
    show_default=True,
    help="A saved model, or the name of one that ships with the library.",
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of all chance."
)
inputs_argument = click.argument(
    "inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(path_type=Path)
)


def expand(inputs: Iterable[Path]) -> Iterator[str]:
    """Yield the image files that the inputs name; folders are searched.

    Parameters
    ----------
    inputs : iterable of Path
        Files and folders. A file that does not exist is passed on, so that it gets its row.

    Yields
    ------
    str
        Paths of files.
    """
    for path in inputs:
        if path.is_dir():
            yield from (str(file) for file in list_images(path))
        else:
            yield str(path)


def load_model(model: str) -> Any:
    """Load a model by the folder or the name given on the command line."""
    from mri_tumor.bundle import find_bundle
    from mri_tumor.framework import load_quietly

    load_quietly()
    from mri_tumor.classifier import TumorClassifier

    return TumorClassifier.load(find_bundle(model))


def load_predictor(model: str) -> Any:
    """Load a model to answer with: without TensorFlow where it has a network for that."""
    from mri_tumor.bundle import find_bundle, read_bundle
    from mri_tumor.runtime.predictor import has_keras_model, load, serves

    bundle = read_bundle(find_bundle(model))
    if serves(bundle) or not has_keras_model(bundle):
        return load(bundle)
    return load_model(model)


def write_json(value: Any, *, indent: int | None = None) -> None:
    """Write one JSON value as a line, or several with an indent."""
    text = json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=False)
    # A byte of a file's name that is no UTF-8 becomes JSON's own escape.
    click.echo(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def png_name(_context: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
    """Refuse the name of a picture that is written as PNG and says that it is something else."""
    if value is not None and value.suffix.lower() != ".png":
        raise click.BadParameter(f"the file's name must end in .png, not {value.name!r}")
    return value
