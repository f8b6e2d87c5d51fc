"""`mri-tumor evaluate`."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.cli.deciding import points, tell_decisions, tell_points
from mri_tumor.cli.labelled_data import data_argument, load_labelled, part_option
from mri_tumor.cli.options import (
    STRICT_FAILED,
    json_option,
    load_model,
    model_option,
    png_name,
    write_json,
)
from mri_tumor.cli.tables import show_evaluation

if TYPE_CHECKING:
    from mri_tumor.evaluation import EvaluationReport

_file = click.Path(dir_okay=False, path_type=Path)
_shares: dict[str, Any] = {"type": click.FloatRange(0, 1), "multiple": True}


@click.command()
@data_argument
@model_option
@part_option
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Smallest probability of a tumour that counts as one, instead of the model's own.",
)
@click.option(
    "--sensitivity-at",
    metavar="SPECIFICITY",
    help="Also tell the sensitivity at this specificity. Several times for several.",
    **_shares,
)
@click.option(
    "--specificity-at",
    metavar="SENSITIVITY",
    help="Also tell the specificity at this sensitivity.",
    **_shares,
)
@click.option(
    "--prevalence",
    metavar="SHARE",
    help="Also tell the predictive values where this share of images has a tumour.",
    **_shares,
)
@click.option("--output", type=_file, help="Also write JSON here.")
@click.option(
    "--report",
    "page",
    metavar="FILE.html",
    type=_file,
    help="Also write a report that opens without a network, and beside it FILE.json with its "
    "figures; older ones are replaced. It shows some of the scans.",
)
@click.option(
    "--picture",
    type=_file,
    callback=png_name,
    help="Also draw the worst and the least certain images here (PNG).",
)
@click.option("--strict", is_flag=True, help="Exit with 3 at unusable files or trained-on images.")
@json_option
def evaluate(
    data: tuple[Path, ...],
    model: str,
    part: str,
    *,
    threshold: float | None,
    output: Path | None,
    page: Path | None,
    picture: Path | None,
    strict: bool,
    as_json: bool,
    **asked: tuple[float, ...],
) -> int:
    """Measure a model on labelled images, with 95% intervals.

    DATA is a folder with one folder per class, or a CSV file, as for `train`. The
    ``split.csv`` in a trained model's folder with ``--part test`` repeats its own test.

    \b
    Examples:
      mri-tumor evaluate scans/ --model my-model --report result.html
      mri-tumor evaluate my-model/split.csv --part test --model my-model --json
      mri-tumor evaluate scans/ --specificity-at 0.98 --prevalence 0.05
    """
    if page is not None and page.suffix.lower() not in {".html", ".htm"}:
        raise click.UsageError(f"--report: the file's name must end in .html, not {page.name!r}.")
    written = [output, picture, *([page, page.with_suffix(".json")] if page else [])]
    names = [path.absolute() for path in written if path]
    if len(set(names)) < len(names):
        raise click.UsageError(
            "--output, --report and --picture: two of them name the same file; --report also "
            "writes a JSON file of its name."
        )
    from mri_tumor.data import LeakWarning

    classifier = load_model(model)
    dataset, notes = load_labelled(data, classifier, part)
    seen = classifier.overlap(dataset)
    for note in [*notes, *([str(seen)] if seen else [])]:
        click.echo(f"warning: {note}", err=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeakWarning)  # told above
        report = classifier.evaluate(dataset, threshold=threshold)
    from mri_tumor.files import write_whole
    from mri_tumor.reporting import describe_decisions, report_content

    found: dict[str, Any] = {
        **report.to_dict(),
        **points(report, **asked),
        "model": model,
        "rule": describe_decisions(classifier.rule_, report),
        "most_confused": [list(pair) for pair in report.most_confused()],
        "n_trained_on": seen.n_near,
        "n_trained_on_identical": seen.n_identical,
        "left_out": [{"file": one.path, "reason": one.reason} for one in dataset.problems],
    }
    if output:
        text = json.dumps(found, indent=2, allow_nan=False) + "\n"
        write_whole(output, lambda file: file.write(text.encode()))
    if page:
        from mri_tumor.evaluation import write_html_report

        told = str(seen) if seen else "None of these images, nor a near-copy, made the model."
        content = report_content(classifier, report, dataset=dataset, seen=told)
        content.pop("history", None)  # of other images
        write_html_report(page, evaluation=report, **content)
    if picture:
        pixels = _sheets(report)
        write_whole(picture, lambda file: file.write(pixels))
    if as_json:
        write_json(found, indent=2)
    else:
        show_evaluation(report)
        click.echo("\n".join([*_tell_confused(report), *tell_points(found)]))
        click.echo(tell_decisions(found["rule"]))
    return STRICT_FAILED if strict and (seen or dataset.problems) else 0


def _tell_confused(report: EvaluationReport) -> list[str]:
    pairs = [f"{true} called {called} ({n:,})" for true, called, n in report.most_confused()[:3]]
    return [f"Most confused: {', '.join(pairs)}"] if pairs else []


def _sheets(report: EvaluationReport) -> bytes:
    """Draw the worst images above the least certain ones."""
    from mri_tumor.figures import as_png, new_figure

    wrong = bool(report.worst(1))
    figure, axes = new_figure(width=10.0, height=11.0 if wrong else 5.5)
    if wrong:
        figure.clear()
        axes = figure.subplots(2, 1)
        report.plot_worst(10, ax=axes[0])
        axes[0].set_title("Wrong answers, the most certain first", loc="left", pad=14)
    report.plot_least_certain(10, ax=axes[-1])
    axes[-1].set_title("Least certain answers", loc="left", pad=14)
    return as_png(figure)
