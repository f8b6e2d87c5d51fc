"""`mri-tumor evaluate`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.cli.options import (
    STRICT_FAILED,
    json_option,
    load_model,
    model_option,
    write_json,
)
from mri_tumor.errors import DataError

if TYPE_CHECKING:
    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.data import Dataset


@click.command()
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@model_option
@click.option(
    "--part",
    type=click.Choice(["all", "train", "validation", "test"]),
    default="all",
    show_default=True,
    help="Which part, where the folders or the table name parts.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Smallest probability of a tumour that counts as one, instead of the model's own.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write JSON here."
)
@click.option("--strict", is_flag=True, help="Exit with 3 at unusable files or trained-on images.")
@json_option
def evaluate(
    data: tuple[Path, ...],
    model: str,
    part: str,
    threshold: float | None,
    output: Path | None,
    *,
    strict: bool,
    as_json: bool,
) -> int:
    """Measure a model on labelled images, with 95% intervals.

    DATA is a folder with one folder per class, or a CSV file, as for `train`. The
    ``split.csv`` in a trained model's folder with ``--part test`` repeats its own test.

    \b
    Examples:
      mri-tumor evaluate scans/ --model my-model
      mri-tumor evaluate my-model/split.csv --part test --model my-model --json
    """
    from mri_tumor.data import LeakWarning

    classifier = load_model(model)
    dataset, notes = _load(data, classifier, part)
    seen = classifier.overlap(dataset)
    if seen:
        notes.append(str(seen))
    for note in notes:
        click.echo(f"warning: {note}", err=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakWarning)  # told above
        report = classifier.evaluate(dataset, threshold=threshold)
    found = {
        **report.to_dict(),
        "model": model,
        "n_trained_on": seen.n_near,
        "n_trained_on_identical": seen.n_identical,
        "left_out": [{"file": one.path, "reason": one.reason} for one in dataset.problems],
    }
    if output:
        import json

        output.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    if as_json:
        write_json(found, indent=2)
    else:
        click.echo(report)
    return STRICT_FAILED if strict and (seen or dataset.problems) else 0


def _load(
    data: tuple[Path, ...], classifier: TumorClassifier, part: str
) -> tuple[Dataset, list[str]]:
    from mri_tumor.data import load_dataset
    from mri_tumor.labels import NEGATIVE

    classes = [str(name) for name in classifier.classes_]
    named = classifier.negative_class_ == NEGATIVE
    task: Any = ("binary" if len(classes) == 2 else "four") if named else None
    source: Any = list(data) if len(data) > 1 else data[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = load_dataset(
            source,
            task=task,
            negative_class=None if named else classifier.negative_class_,
            split=None if part == "all" else "given",
        )
    notes = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    chosen = dataset if part == "all" else getattr(dataset, part)
    if not len(chosen):
        message = f"{data[0]}: names no images of the part {part!r}. Use --part all."
        raise DataError(message)
    return chosen, notes
