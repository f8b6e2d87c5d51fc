"""One HTML file with everything a reader of a result needs, and the same as JSON."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.claim import ClaimItem, claim_items
from mri_tumor.evaluation.html_parts import cards, facts, page, picture, plainly, png_bytes
from mri_tumor.evaluation.render import NOTICE, html_table, show_interval, show_number
from mri_tumor.evaluation.report import EvaluationReport

FORMAT = 1
N_IMAGES = 10
Section = tuple[str, str]  # heading and HTML


def write_html_report(
    path: str | PathLike[str],
    *,
    evaluation: EvaluationReport,
    dataset_summary: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    audit: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    versions: Mapping[str, Any] | None = None,
    images: Mapping[str, Any] | None = None,
    title: str = "Brain MRI tumor classifier: evaluation",
) -> Path:
    """Write a report that opens in any browser without a network, and its JSON twin.

    Parameters
    ----------
    path : str or path
        File to write, ending in .html; the twin has the same name with .json. Older files of
        these names are replaced once the new ones are complete.
    evaluation : EvaluationReport
        The result.
    dataset_summary : mapping, optional
        What is known of the data, shown as tables. "counts", images of each class or of each
        class in each part, is drawn too; "source", "preprocessing", "split" and "split_level"
        go into the checklist.
    history : mapping of str to sequence, optional
        Training curves: "accuracy", "val_accuracy", "loss", "val_loss", "stage".
    audit : mapping, optional
        Duplicates, conflicts, leaks, shortcuts, shown as tables.
    calibration : mapping, optional
        Temperature, operating point, conformal rule and the like, shown as tables. "curves", a
        mapping of names such as "before" and "after" to `ReliabilityCurve`, is drawn.
    model : mapping, optional
        What is known of the model: "name", "weights" and "training" go into the checklist.
    versions : mapping, optional
        Software and versions.
    images : mapping of str to picture, optional
        Pictures by caption: matplotlib Axes, PNG bytes or uint8 arrays. By default the worst
        and the least certain images, if their files are known; an empty mapping leaves them
        out. The pictures become part of the file: mind who may see them.
    title : str
        Heading.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    ParameterError
        If the file's name does not end in .html, or a picture is of no known kind.
    DataError
        If the files cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        msg = f"path must end in .html; received {target.name!r}"
        raise ParameterError(msg)
    own = None if images is None else {name: png_bytes(item) for name, item in images.items()}
    items = claim_items(
        evaluation, dataset=dataset_summary, model=model, history=history, versions=versions
    )
    given = {
        "dataset": dataset_summary,
        "audit": audit,
        "model": model,
        "calibration": calibration,
        "versions": versions,
    }
    plain = {name: plainly(value) for name, value in given.items() if value}
    sections = [
        ("Result", _result(evaluation)),
        *_data(dataset_summary, plain),
        *_training(history, plain),
        ("Figures", _figures(evaluation)),
        *_calibration(evaluation, calibration, plain),
        *_images(evaluation, own),
        ("CLAIM checklist", _claim(items)),
        *([("Versions", _versions(plain["versions"]))] if versions else []),
    ]
    twin = {
        "format": FORMAT,
        "title": title,
        "notice": NOTICE,
        "evaluation": evaluation.to_dict(),
        **plain,
        "history": plainly(history),
        **_listed(evaluation),
        "claim": plainly(items),
    }
    _write(target.with_suffix(".json"), json.dumps(twin, indent=2, allow_nan=False) + "\n")
    _write(target, page(title, _body(title, sections)))
    return target


def _body(title: str, sections: list[Section]) -> str:
    links = " ".join(f'<a href="#s{i}">{escape(name)}</a>' for i, (name, _) in enumerate(sections))
    parts = "".join(
        f'<section id="s{i}"><h2>{escape(name)}</h2>{html}</section>'
        for i, (name, html) in enumerate(sections)
    )
    return (
        f'<header><h1>{escape(title)}</h1><p class="notice">{escape(NOTICE)} '
        f"Figures hold for these images only.</p><nav>{links}</nav></header><main>{parts}</main>"
    )


def _result(report: EvaluationReport) -> str:
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
    return cards(shown) + report._repr_html_()


def _note(interval: Any) -> str:
    return f"interval {show_interval(interval)}" if interval else "no interval"


def _data(summary: Mapping[str, Any] | None, plain: Mapping[str, Any]) -> Iterator[Section]:
    if summary:
        drawn = ""
        if summary.get("counts"):
            from mri_tumor.plots import plot_class_balance

            drawn = picture(plot_class_balance(plain["dataset"]["counts"]), "Images of each class")
        yield "Data and split", drawn + facts("Data", plain["dataset"])
    if "audit" in plain:
        yield "Audit of the data", facts("Audit", plain["audit"])


def _training(history: Mapping[str, Any] | None, plain: Mapping[str, Any]) -> Iterator[Section]:
    from mri_tumor.plots import plot_history

    drawn = [
        picture(plot_history(history, metric=metric), f"{metric.capitalize()} by epoch")
        for metric in ("accuracy", "loss")
        if history and len(history.get(metric, ()))
    ]
    tables = facts("Model", plain["model"]) if "model" in plain else ""
    if drawn or tables:
        yield "Model and training", tables + f'<div class="pair">{"".join(drawn)}</div>'


def _figures(report: EvaluationReport) -> str:
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
    return f'<div class="pair">{"".join(drawn)}</div>'


def _calibration(
    report: EvaluationReport, calibration: Mapping[str, Any] | None, plain: dict[str, Any]
) -> Iterator[Section]:
    from mri_tumor.plots import plot_reliability

    drawn, table = [], ""
    if report.images is not None and report.calibration:
        drawn.append(picture(report.plot_reliability(), "Reliability on these images"))
    if calibration:
        if calibration.get("curves"):
            drawn.append(picture(plot_reliability(calibration["curves"]), "Reliability"))
        numbers = {key: v for key, v in plain["calibration"].items() if key != "curves"}
        table = facts("Calibration and operating point", numbers)
    if drawn or table:
        yield "Calibration", table + f'<div class="pair">{"".join(drawn)}</div>'


def _images(report: EvaluationReport, images: Mapping[str, bytes] | None) -> Iterator[Section]:
    drawn: dict[str, Any] = dict(images or {})
    listed = _listed(report)
    if images is None and report.images is not None and report.images.files is not None:
        if listed["worst"]:
            drawn["Wrong answers, the most certain first"] = report.plot_worst(N_IMAGES)
        if listed["least_certain"]:
            drawn["Least certain answers"] = report.plot_least_certain(N_IMAGES)
    html = "".join(picture(content, caption) for caption, content in drawn.items())
    for name, rows in listed.items():
        if rows:
            html += facts("Images", {name: [_without_index(row) for row in rows]})
    if html:
        yield "Images worth a look", html


def _listed(report: EvaluationReport) -> dict[str, Any]:
    if report.images is None:
        return {"worst": [], "least_certain": []}
    return {"worst": report.worst(N_IMAGES), "least_certain": report.least_certain(N_IMAGES)}


def _without_index(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "index"}


def _claim(items: list[ClaimItem]) -> str:
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


def _versions(versions: Mapping[str, Any]) -> str:
    rows = [(name, str(version)) for name, version in versions.items()]
    return html_table("Software", ("", ""), rows)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"{path}: the report cannot be written: {error.strerror or error}"
        raise DataError(msg) from error
