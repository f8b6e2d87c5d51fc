"""`mri-tumor predict`."""

from __future__ import annotations

import hashlib
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mri_tumor.cli.archive import is_archive_run, predict_archive
from mri_tumor.cli.options import (
    STRICT_FAILED,
    json_option,
    load_predictor,
    model_option,
    write_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mri_tumor.answers.table import AnswerTable
    from mri_tumor.images.scans import Scan

# Seconds between two lines in a log.
_STATUSES = (
    ("ok", "an answer"),
    ("uncertain", "a tumor and none are both plausible"),
    ("refused", "no brain MRI slice, as far as the model can tell"),
    ("error", "the file could not be read"),
)
_LOG_EVERY = 60.0
# Reasons for what is left out that are shown; the rest is counted.
_SHOWN = 20


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path())
@model_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Write rows to PATH.jsonl, PATH.csv or PATH.parquet as they come; a PATH without an "
    "ending is a folder of Parquet parts, for archives.",
)
@click.option(
    "--engine",
    type=click.Choice(["ray"]),
    help="Work in actors of Ray Data, here or on the cluster at RAY_ADDRESS.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Actors of --engine, with a processor each; by default one for each processor.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with --output where an earlier run was stopped."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    help="Smallest probability of a tumour that counts as one, instead of the model's own.",
)
@click.option(
    "--plane",
    type=click.Choice(["axial", "coronal", "sagittal"]),
    help="How to cut NIfTI volumes; axial by default.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 if an image was refused or unreadable.")
@json_option
def predict(
    inputs: tuple[str, ...],
    model: str,
    output: Path | None,
    plane: Any,
    *,
    engine: Any,
    workers: int | None,
    resume: bool,
    threshold: float | None,
    strict: bool,
    as_json: bool,
) -> int:
    """Say what images show: one row for each, in order.

    INPUT is an image file, or a folder of any size. A volume (NIfTI, several frames, a DICOM
    series in a folder) gets a row for each slice and one for itself. With --output a run that
    was stopped, or killed, goes on by the same command with --resume. With a folder for
    --output, INPUT may also be a tar or Parquet shard of images, or a URL such as s3://.

    \b
    Examples:
      mri-tumor predict scan.png
      mri-tumor predict scans/ --json > answers.jsonl
      mri-tumor predict archive/ --output answers.csv --resume
      mri-tumor predict archive/ --output answers --engine ray
    """
    if resume and output is None:
        raise click.UsageError("--resume goes on with a file: name it by --output.")
    if workers is not None and engine is None:
        raise click.UsageError("--workers is for --engine.")
    left_out: list[str] = []
    if is_archive_run(inputs, output, engine):
        assert output is not None  # noqa: S101
        counts = predict_archive(
            inputs, output, model=model, engine=engine, workers=workers, resume=resume,
            threshold=threshold, plane=plane, as_json=as_json,
        )  # fmt: skip
    else:
        paths = tuple(map(Path, inputs))
        scans = _found(paths, plane, left_out)
        if output is None:
            counts = _to_screen(scans, model, threshold, as_json)
        else:
            decided_by = {"threshold": threshold, "plane": plane}
            counts = _to_file(
                scans, paths, model, output, decided_by, left_out, resume=resume, as_json=as_json
            )
    for reason in left_out[:_SHOWN]:
        click.echo(f"left out: {reason}", err=True)
    if len(left_out) > _SHOWN:
        click.echo(f"left out: {len(left_out) - _SHOWN} more", err=True)
    return STRICT_FAILED if strict and counts["error"] + counts["refused"] else 0


def _to_screen(
    scans: Iterator[Scan], model: str, threshold: float | None, as_json: bool
) -> Counter[str]:
    predictor = load_predictor(model)
    counts: Counter[str] = Counter()
    for rows in predictor.assess_scans(scans, threshold=threshold):
        counts[rows[-1]["status"]] += 1
        for row in rows:
            if as_json:
                write_json(row)
            else:
                _show(row)
    if not as_json:
        _tell(counts)
    return counts


def _to_file(  # noqa: PLR0917
    scans: Iterator[Scan],
    inputs: tuple[Path, ...],
    model: str,
    output: Path,
    decided_by: dict[str, Any],
    left_out: list[str],
    *,
    resume: bool,
    as_json: bool,
) -> Counter[str]:
    from mri_tumor.answers.table import AnswerTable, check_output
    from mri_tumor.progress import progress_bar

    check_output(output)
    settings = {**_identity(model), **decided_by}
    predictor = load_predictor(model)
    classes = [str(name) for name in predictor.classes_]
    with AnswerTable(output, settings, classes, resume=resume) as table:
        if table.resumed:
            click.echo(f"Going on behind {table.resumed} rows in {output}.", err=True)
        try:
            with progress_bar("Predicting", None) as advance:
                _count_behind(inputs, advance)
                advance(table.resumed)
                tell = _Log(table)
                left = _left(scans, table, left_out)
                for rows in predictor.assess_scans(left, threshold=decided_by["threshold"]):
                    table.write(rows)
                    advance(1)
                    tell()
            report = table.finish()
        except BaseException:
            click.echo(
                f"Stopped. {sum(table.counts.values())} results are in {table.working}; the same "
                "command with --resume goes on.",
                err=True,
            )
            raise
    if as_json:
        write_json({"output": str(output), **report})
    else:
        _tell(table.counts)
    return table.counts


class _Log:
    """Tell a log from time to time how far a run is; on a terminal the bar does."""

    def __init__(self, table: AnswerTable) -> None:
        self.table, self.began = table, time.monotonic()
        self.told = self.began
        self.silent = sys.stderr.isatty()

    def __call__(self) -> None:
        now = time.monotonic()
        if self.silent or now - self.told < _LOG_EVERY:
            return
        self.told = now
        done = sum(self.table.counts.values())
        rate = (done - self.table.resumed) / (now - self.began)
        click.echo(f"{done} results, {rate:.0f}/s", err=True)


def _found(inputs: tuple[Path, ...], plane: Any, left_out: list[str]) -> Iterator[Scan]:
    """Return the scans of the inputs; nothing to do is an error."""
    from itertools import chain

    from mri_tumor.errors import ImageError
    from mri_tumor.images.messages import shown
    from mri_tumor.images.scans import find_scans

    def skip(path: Path, reason: str) -> None:
        left_out.append(f"{shown(path)}: {reason}")

    scans = find_scans(inputs, plane=plane, on_skip=skip)
    first = next(scans, None)
    if first is None:
        why = left_out[0] if left_out else f"{inputs[0]}: there is no image in this folder"
        raise ImageError(f"{why}. Check the path.")
    return chain([first], scans)


def _left(scans: Iterator[Scan], table: AnswerTable, left_out: list[str]) -> Iterator[Scan]:
    """Yield what has no rows yet; of a series that changed the rows stay as they are."""
    from mri_tumor.images.messages import shown

    for scan in scans:
        if table.take_back(scan.name, scan.files):
            continue
        if table.has_part_of(scan.name, scan.files):
            left_out.append(
                f"{shown(scan.name)}: has other slices than when its rows were written, and they "
                "stay. Predict it into another output."
            )
            continue
        yield scan


def _identity(model: str) -> dict[str, str]:
    """Return what tells one model, and one version of the library, from another."""
    from mri_tumor import __version__
    from mri_tumor.bundle import METADATA, find_bundle, read_bundle

    bundle = read_bundle(find_bundle(model))
    # It holds the hashes of all other files.
    content = (bundle.path / METADATA).read_bytes()
    return {"mri-tumor": __version__, "model_sha256": hashlib.sha256(content).hexdigest()}


def _count_behind(inputs: tuple[Path, ...], advance: Any) -> None:
    """Count the files beside the work, so that the bar knows its end; volumes count by file."""
    from threading import Thread

    from mri_tumor.images.listing import list_images

    def count() -> None:
        total = 0
        for path in inputs:
            files = list_images(path, on_skip=lambda *_: None) if path.is_dir() else [path]
            total += sum(1 for _ in files)
        advance(0, total=total)

    if sys.stderr.isatty():
        Thread(target=count, daemon=True).start()


def _show(row: dict[str, Any]) -> None:
    """Write a row for a person; a file's name cannot forge lines or colours."""
    from mri_tumor.images.messages import shown

    name = shown(row["file"]) + (f" [slice {row['slice']}]" if "slice" in row else "")
    if row["label"] is None:
        click.echo(f"{name}\t{row['status']}\t\t{row['message']}")
    else:
        click.echo(f"{name}\t{row['label']}\t{row['tumor_probability']:.4f}\t{row['status']}")


def _tell(counts: Counter[str]) -> None:
    """Tell what came of it; on a terminal a table says how many images got which status."""
    from mri_tumor.assessment import NOTICE

    if sys.stderr.isatty() and len(counts) > 1:
        from mri_tumor.cli.tables import draw_table

        rows = [[name, f"{counts[name]:,}", text] for name, text in _STATUSES if counts[name]]
        draw_table(["status", "images", "meaning"], rows, err=True)
    bad = counts["error"] + counts["refused"]
    total = sum(counts.values())
    images = "1 image" if total == 1 else f"{total} images"
    click.echo(f"{images}, {bad} without an answer. {NOTICE}", err=True)
