"""The sections of an HTML report."""

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from mri_tumor.evaluation.claim import ClaimItem
from mri_tumor.evaluation.html_parts import cards, facts, picture
from mri_tumor.evaluation.render import html_table, show_interval, show_number
from mri_tumor.evaluation.report import EvaluationReport

N_IMAGES = 10
COMPARED = (
    "Reliability as the legend names it, in 10 bins of the probability; the tables take 15 bins "
    "of the confidence in the answer"
)
Section = tuple[str, str]  # heading and HTML


def result_section(report: EvaluationReport, seen: str = "") -> str:
    """Show the main figures large, and all of them in tables; below what was seen of the images."""
    tumor, ends = report.tumor, report.intervals["tumor"]
    names = {
        "sensitivity": "Sensitivity (tumors found)",
        "specificity": "Specificity (healthy left alone)",
        "auc": "AUC, tumor or not",
    }
    shown = [(name, show_number(tumor[key]), _note(ends[key])) for key, name in names.items()]
    if report.task == "multiclass":
        shown.append(
            (
                f"Accuracy, {len(report.classes)} classes",
                show_number(report.accuracy),
                _note(report.intervals["accuracy"]),
            )
        )
    shown.append(
        (
            "Coverage (not refused)",
            show_number(report.coverage),
            f"{report.n_images:,} images, {report.n_groups:,} groups",
        )
    )
    note = f"<p>{escape(seen)}</p>" if seen else ""
    return cards(shown) + note + report._repr_html_()


def _note(interval: Any) -> str:
    return f"interval {show_interval(interval)}" if interval else "no interval"


def data_section(summary: Mapping[str, Any] | None, plain: Mapping[str, Any]) -> Iterator[Section]:
    """Show what is known of the data, and their audit."""
    if summary:
        drawn = ""
        if summary.get("counts"):
            from mri_tumor.plots import plot_class_balance

            drawn = picture(plot_class_balance(plain["dataset"]["counts"]), "Images of each class")
        yield "Data and split", drawn + facts("Data", plain["dataset"])
    if "audit" in plain:
        yield "Audit of the data", facts("Audit", plain["audit"])


def training_section(
    history: Mapping[str, Any] | None, plain: Mapping[str, Any]
) -> Iterator[Section]:
    """Show the model and its training curves."""
    from mri_tumor.plots import plot_history

    drawn = [
        picture(plot_history(history, metric=metric), f"{metric.capitalize()} by epoch")
        for metric in ("accuracy", "loss")
        if history and len(history.get(metric, ()))
    ]
    tables = facts("Model", plain["model"]) if "model" in plain else ""
    if drawn or tables:
        yield "Model and training", tables + f'<div class="pair">{"".join(drawn)}</div>'


def figures_section(report: EvaluationReport) -> str:
    """Show the matrix, the curves and the scores."""
    drawn = [picture(report.plot_confusion(), "Confusion matrix")]
    if report.images is not None:
        bands = "the bands are pointwise intervals"
        if report.n_refused:
            bands += "; refused images are ranked wrong, which bends the curves at their ends"
        drawn += [
            picture(report.plot_roc(), f"ROC curves; {bands}"),
            picture(report.plot_precision_recall(), f"Precision-recall curves; {bands}"),
            picture(report.plot_score_histogram(), "P(tumor) of images with and without a tumor"),
        ]
    mixed = facts("Classes", {"most_confused": pairs}) if (pairs := most_confused(report)) else ""
    return f'<div class="pair">{"".join(drawn)}</div>{mixed}'


def calibration_section(
    report: EvaluationReport, calibration: Mapping[str, Any] | None, plain: dict[str, Any]
) -> Iterator[Section]:
    """Show how far probabilities can be believed, and what was done about it."""
    from mri_tumor.plots import plot_reliability

    drawn, table = [], ""
    if report.images is not None and report.calibration:
        drawn.append(picture(report.plot_reliability(), "Reliability on these images"))
    if calibration:
        if calibration.get("curves"):
            drawn.append(picture(plot_reliability(calibration["curves"]), COMPARED))
        numbers = {key: v for key, v in plain["calibration"].items() if key != "curves"}
        table = facts("Calibration and operating point", numbers)
    if drawn or table:
        yield "Calibration", table + f'<div class="pair">{"".join(drawn)}</div>'


def images_section(
    report: EvaluationReport, images: Mapping[str, bytes] | None
) -> Iterator[Section]:
    """Show the images that are worth a look."""
    drawn: dict[str, Any] = dict(images or {})
    listed = listed_images(report)
    if images is None and report.images is not None and report.images.files is not None:
        if listed["worst"]:
            drawn["Wrong answers, the most certain first"] = report.plot_worst(N_IMAGES)
        if listed["least_certain"]:
            drawn["Least certain answers"] = report.plot_least_certain(N_IMAGES)
    html = "".join(picture(content, caption) for caption, content in drawn.items())
    for name in ("worst", "least_certain"):
        if rows := listed[name]:
            html += facts("Images", {name: [_without_index(row) for row in rows]})
    if html:
        yield "Images worth a look", html


def most_confused(report: EvaluationReport) -> list[dict[str, Any]]:
    """List the pairs of classes that were mixed up most, as rows of a table."""
    return [
        {"true": true, "called": called, "images": n}
        for true, called, n in report.most_confused()[:N_IMAGES]
    ]


def listed_images(report: EvaluationReport) -> dict[str, Any]:
    """List the pairs of classes that were mixed up, and the images that are worth a look.

    Files are named from the folder that all of them share, so that a report tells nothing of
    the machine that it was written on.
    """
    listed: dict[str, Any] = {
        "most_confused": most_confused(report),
        "worst": [],
        "least_certain": [],
    }
    if report.images is not None:
        base = _common_folder(report.images.files)
        for name, rows in (
            ("worst", report.worst(N_IMAGES)),
            ("least_certain", report.least_certain(N_IMAGES)),
        ):
            listed[name] = [{**row, "file": _short(row["file"], base)} for row in rows]
    return listed


def _common_folder(files: Sequence[str] | None) -> str | None:
    try:
        return os.path.commonpath([os.path.dirname(name) for name in files]) if files else None  # noqa: PTH120
    except ValueError:  # some are absolute and some are not
        return None


def _short(name: str | None, base: str | None) -> str | None:
    return os.path.relpath(name, base) if name and base else name


def _without_index(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "index"}


def claim_section(items: list[ClaimItem]) -> str:
    """Show the checklist."""
    filled = [(str(item.number), item.topic, item.text) for item in items if item.filled]
    open_items = ", ".join(f"{item.number} ({item.topic})" for item in items if not item.filled)
    return (
        html_table(
            "Filled in by this run (numbers of CLAIM 2020, doi:10.1148/ryai.2020200029)",
            ("item", "topic", "what the run knows"),
            filled,
        )
        + f'<p class="todo">For the authors: {escape(open_items)}.</p>'
    )


def versions_section(versions: Mapping[str, Any]) -> str:
    """Show the software."""
    rows = [(name, str(version)) for name, version in versions.items()]
    return html_table("Software", ("", ""), rows)
