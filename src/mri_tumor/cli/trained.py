"""What a training leaves: the model with its report and figures, and what is said of it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mri_tumor.classifier import TumorClassifier
    from mri_tumor.data import Dataset
    from mri_tumor.evaluation import EvaluationReport


def keep(
    classifier: TumorClassifier,
    report: EvaluationReport,
    dataset: Dataset,
    output: Path,
    *,
    seconds: float,
    calibration: Dataset | None,
) -> None:
    """Save the model with its figures, report and split."""
    from mri_tumor import persistence
    from mri_tumor.errors import ExportError
    from mri_tumor.evaluation.html_report import render_html_report
    from mri_tumor.export import add_runtime
    from mri_tumor.figures import training_figures
    from mri_tumor.reporting import about_dataset, describe_decisions, report_content

    classifier.metrics_ = report.to_dict()
    frame = dataset.to_frame()
    held = set(() if calibration is None else calibration.paths)
    frame["use"] = frame["split"].mask(frame["path"].isin(held), "calibration")
    split = (
        "As the folders or the table name the parts, and by group in proportion to classes and "
        f"sources where they do not (seed {classifier.seed}); split.csv names every image."
    )
    if held:
        split += f" {len(held):,} validation images chose no epoch and were calibrated on."
    html, twin = render_html_report(
        report, **report_content(classifier, report, dataset=dataset, split=split)
    )
    files = {
        "evaluation.json": (report.to_json(include_images=False) + "\n").encode(),
        "report.html": html.encode(),
        "report.json": twin.encode(),
        "split.csv": safe_table(frame),
        **training_figures(classifier.history_, report, temperature=classifier.rule_.temperature),
    }
    extra = {
        "training_seconds": round(seconds, 1),
        "dataset": about_dataset(dataset),
        "calibration": describe_decisions(classifier.rule_, report),
    }
    persistence.save(classifier, output, extra=extra, files=files)
    # The model is safe now; without a runtime file it answers all the same, only slower.
    try:
        add_runtime(output)
    except ExportError as error:
        click.echo(f"warning: {error} Predictions will load TensorFlow.", err=True)


def safe_table(frame: Any) -> bytes:
    """Write a table of images as CSV that no spreadsheet takes for formulas."""
    from mri_tumor.answers.table_formats import safe_cell
    from mri_tumor.labels import is_missing

    def cell(name: str, value: Any) -> Any:
        if is_missing(value):
            return ""
        if name == "path":  # a table's paths are relative to its folder, where the images are not
            return str(Path(value).absolute())
        return safe_cell(value) if name in {"label", "source", "patient"} else value

    # Not by pandas, whose text holds no file name that is no UTF-8.
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False):
        writer.writerow([cell(*pair) for pair in zip(frame.columns, row, strict=True)])
    return buffer.getvalue().encode("utf-8", "surrogateescape")


def describe(
    classifier: TumorClassifier,
    report: EvaluationReport,
    dataset: Dataset,
    output: Path,
    seconds: float,
) -> dict[str, Any]:
    """Return the result of a training as JSON has it."""
    from mri_tumor.reporting import about_dataset, describe_decisions

    history = classifier.history_
    return {
        "model": str(output),
        "task": dataset.task,
        "classes": [str(name) for name in classifier.classes_],
        "seconds": round(seconds, 1),
        "epochs": {
            stage: history["stage"].count(stage) for stage in dict.fromkeys(history["stage"])
        },
        "peak_validation_accuracy": max(history["val_accuracy"]),
        "dataset": about_dataset(dataset),
        "rule": classifier.rule_.to_dict(),
        "calibration": describe_decisions(classifier.rule_, report),
        "report": str(output / "report.html"),
        "test": report.to_dict(),
    }
