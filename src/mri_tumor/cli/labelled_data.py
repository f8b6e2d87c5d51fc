"""Labelled images as the commands that measure a model take them."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.errors import DataError

if TYPE_CHECKING:
    from mri_tumor.data import Dataset

data_argument = click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
part_option = click.option(
    "--part",
    type=click.Choice(["all", "train", "validation", "test"]),
    default="all",
    show_default=True,
    help="Which part. Where neither the folders nor the table name parts, of a new split with seed 0,"
    " which is not the one a model was trained on if that had another seed or other images.",
)


def load_labelled(
    data: tuple[Path, ...], classifier: Any, part: str, *, task: str | None = None
) -> tuple[Dataset, list[str]]:
    """Load labelled images to measure a model on.

    Parameters
    ----------
    data : tuple of Path
        Folders or tables.
    classifier : TumorClassifier
        The model, whose classes the labels are read as.
    part : str
        ``"all"``, or the part to take.
    task : str, optional
        What is told apart, instead of what the model does.

    Returns
    -------
    dataset : Dataset
        The images of the part.
    notes : list of str
        Warnings.

    Raises
    ------
    DataError
        If there are none.
    """
    from mri_tumor.data import load_dataset
    from mri_tumor.labels import NEGATIVE

    named = classifier.negative_class_ == NEGATIVE
    if named and task is None:
        task = "binary" if len(classifier.classes_) == 2 else "four"
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
    # What could not be read has no part: it counts with any.
    return replace(chosen, problems=dataset.problems), notes
