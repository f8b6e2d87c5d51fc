"""One HTML file with everything a reader of a result needs, and the same as JSON."""

import json
from collections.abc import Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.claim import claim_items
from mri_tumor.evaluation.html_parts import page, plainly, png_bytes
from mri_tumor.evaluation.html_sections import (
    Section,
    calibration_section,
    claim_section,
    data_section,
    figures_section,
    images_section,
    listed_images,
    result_section,
    training_section,
    versions_section,
)
from mri_tumor.evaluation.render import NOTICE
from mri_tumor.evaluation.report import EvaluationReport
from mri_tumor.files import write_whole

FORMAT = 1


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

    Examples
    --------
    >>> from mri_tumor import evaluate_predictions
    >>> rows = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
    >>> labels = ["notumor", "tumor", "tumor", "tumor"]
    >>> report = evaluate_predictions(labels, rows, classes=["notumor", "tumor"], n_bootstrap=0)
    >>> write_html_report("report.html", evaluation=report).name
    'report.html'
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        msg = f"path must end in .html; received {target.name!r}"
        raise ParameterError(msg)
    html, text = render_html_report(
        evaluation,
        dataset_summary=dataset_summary,
        history=history,
        audit=audit,
        calibration=calibration,
        model=model,
        versions=versions,
        images=images,
        title=title,
    )
    files = {target: html.encode(), target.with_suffix(".json"): text.encode()}
    for file in files:
        if file.is_dir():
            raise DataError(f"{file}: the report cannot be written: it is a folder")
    for file, content in files.items():
        _write(file, content)
    return target


def render_html_report(
    evaluation: EvaluationReport,
    *,
    dataset_summary: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    audit: Mapping[str, Any] | None = None,
    calibration: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    versions: Mapping[str, Any] | None = None,
    images: Mapping[str, Any] | None = None,
    title: str = "Brain MRI tumor classifier: evaluation",
) -> tuple[str, str]:
    """Make the report and its JSON twin without writing them.

    Parameters
    ----------
    evaluation, dataset_summary, history, audit, calibration, model, versions, images, title
        As in `write_html_report`.

    Returns
    -------
    html, json : str
        The content of the two files.

    Raises
    ------
    ParameterError
        If a picture is of no known kind.
    """
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
        (
            "Result",
            result_section(evaluation, str((dataset_summary or {}).get("seen_before", ""))),
        ),
        *data_section(dataset_summary, plain),
        *training_section(history, plain),
        ("Figures", figures_section(evaluation)),
        *calibration_section(evaluation, calibration, plain),
        *images_section(evaluation, own),
        ("CLAIM checklist", claim_section(items)),
        *([("Versions", versions_section(plain["versions"]))] if versions else []),
    ]
    twin = {
        "format": FORMAT,
        "title": title,
        "notice": NOTICE,
        "evaluation": evaluation.to_dict(),
        **plain,
        "history": plainly(history),
        **listed_images(evaluation),
        "claim": plainly(items),
    }
    text = json.dumps(twin, indent=2, allow_nan=False) + "\n"
    return page(title, _body(title, sections)), text


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


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(content))
    except OSError as error:
        msg = f"{path}: the report cannot be written: {error.strerror or error}"
        raise DataError(msg) from error
