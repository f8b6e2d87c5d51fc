"""Score an archive into a folder of Parquet parts, on this machine or on many."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mri_tumor.assessment import NOTICE
from mri_tumor.errors import ParameterError
from mri_tumor.progress import progress_bar
from mri_tumor.scale.manifest import Manifest, unfinished
from mri_tumor.scale.parts import find_parts, nothing_to_do
from mri_tumor.scale.places import is_url
from mri_tumor.scale.scorer import Scorer, Scoring, check_pyarrow, describe_model

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Sequence

    from mri_tumor.images.options import Plane
    from mri_tumor.scale.scorer import Scored

# Files of a part: some seconds of work, which is what a kill costs.
PART_SIZE = 1000
# Reasons for what was left out that are kept.
_KEPT = 20


@dataclass(frozen=True, kw_only=True)
class ScoringReport:
    """What a run has made.

    Parameters
    ----------
    output : Path
        Folder of the parts.
    model_sha256 : str
        Hash of the model, as in the column of that name.
    parts : int
        Finished parts.
    resumed : int
        How many of them were there before.
    rows : int
        Rows of all parts.
    counts : Counter of str
        Images and volumes by status; rows of slices are not counted.
    seconds : float
        Of this run.
    left_out : tuple of str
        Links and folders that were passed over, and why; the first twenty.
    n_left_out : int
        How many there are.
    """

    output: Path
    model_sha256: str
    parts: int
    resumed: int
    rows: int
    counts: Counter[str]
    seconds: float
    left_out: tuple[str, ...] = ()
    n_left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        return {
            "output": str(self.output),
            "model_sha256": self.model_sha256,
            "parts": self.parts,
            "resumed": self.resumed,
            "rows": self.rows,
            "counts": dict(self.counts),
            "seconds": round(self.seconds, 3),
            "left_out": self.n_left_out,
        }

    def __str__(self) -> str:
        bad = self.counts["error"] + self.counts["refused"]
        return f"{sum(self.counts.values())} images, {bad} without an answer. {NOTICE}"


def score_dataset(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] = "brain-mri",
    engine: Literal["ray"] | None = None,
    workers: int | None = None,
    resume: bool = False,
    threshold: float | None = None,
    plane: Plane | None = None,
    part_size: int = PART_SIZE,
    show_progress: bool = False,
) -> ScoringReport:
    """Score any number of images into a folder of Parquet files, each image in exactly one.

    Research software, not a medical device.

    Inputs are cut into parts. A part's rows are written at once, and a line in the folder's
    ``_manifest.jsonl`` says that it is finished: a run that was killed goes on behind the parts that
    are. An image that cannot be read, or is no brain MRI slice, is a row that says so. Memory is
    bounded by the workers, whatever the number of images. Any engine gives the same rows.

    Parameters
    ----------
    inputs : path or URL, or several
        Image files; folders, which are searched; ``.tar`` and ``.tar.gz`` shards; Parquet
        shards with a column of images (``image``, ``bytes``, ``content``, ``data``), as bytes
        or as ``{"bytes", "path"}``, or else of paths (``file``, ``path``); and URLs of any of
        them that fsspec knows, such as ``s3://bucket/scans`` or ``s3://bucket/*.tar``.
    output : path
        A folder, new or empty, that this process can write to.
    model : str or path, default="brain-mri"
        A saved model that answers without TensorFlow, or the name of one that ships with the
        library. On several machines, the same on each.
    engine : {"ray"} or None, default=None
        None works in this process. ``"ray"`` works in actors of Ray Data: on the cluster at
        ``RAY_ADDRESS`` if that variable is set, else on this machine.
    workers : int, optional
        Actors, each with one processor; by default as many as there are processors.
    resume : bool, default=False
        Go on with an output that was begun with the same inputs and settings.
    threshold : float, optional
        Smallest probability of a tumour that counts as one, instead of the model's own.
    plane : {"axial", "coronal", "sagittal"}, optional
        How to cut NIfTI volumes; axial by default.
    part_size : int, default=1000
        Files of a part. A shard is one part, and DICOM images of one folder stay together.
    show_progress : bool, default=False
        Show a bar on standard error.

    Returns
    -------
    ScoringReport
        Counts, and where the rows are: ``part-*.parquet`` with the columns ``file``, ``kind``,
        ``slice``, ``label``, ``tumor_probability``, one ``p_`` for each class, ``status``,
        ``message`` and ``model_sha256``.

    Raises
    ------
    BundleError
        If the model is missing or damaged, or answers with TensorFlow only.
    CheckpointError
        If the output is there and not to be resumed, or of other inputs or settings, or in use.
    ImageError
        If there is no image, or a folder cannot be read.
    MissingExtraError
        If PyArrow, Ray or a driver of fsspec is not installed.
    ParameterError
        If an argument is out of range, or the output lies within an input.
    WorkerError
        If Ray cannot be started, or its cluster not be reached.

    Examples
    --------
    >>> from mri_tumor import make_phantoms, score_dataset
    >>> _ = make_phantoms(3, size=96, folder="scans")
    >>> print(score_dataset("scans", "scores"))
    3 images, 0 without an answer. Research software, not a medical device.

    >>> import pandas as pd
    >>> list(pd.read_parquet("scores", columns=["file", "status"]).columns)
    ['file', 'status']
    """
    given = [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs
    names = [os.fspath(one) for one in given]
    folder = Path(output)
    if is_url(os.fspath(output)):
        raise ParameterError(f"output: must be a folder on a disk. Received: {output!r}")
    _check(names, folder, engine, workers, threshold, part_size)
    bundle, model_hash = describe_model(os.fspath(model))
    scoring = Scoring(
        model=os.fspath(model),
        model_sha256=model_hash,
        classes=tuple(str(name) for name in bundle.metadata["classes"]),
        threshold=threshold,
        plane=plane,
    )
    with Manifest(folder, _settings(scoring, names, part_size), resume=resume) as manifest:
        resumed = len(manifest.finished)
        before = sum(manifest.counts.values())
        began = time.monotonic()
        left_out: list[str] = []
        n_left_out = 0
        with progress_bar("Scoring", None, show=show_progress) as advance:
            advance(before)
            for scored in _scored(engine, scoring, names, part_size, manifest, workers):
                if manifest.commit(scored):
                    advance(sum(scored.counts.values()))
                    n_left_out += len(scored.part.left_out)
                    left_out += scored.part.left_out[: _KEPT - len(left_out)]
        if not manifest.finished:
            raise nothing_to_do(names)
        seconds = time.monotonic() - began
        manifest.finish(seconds)
    return ScoringReport(
        output=folder,
        model_sha256=model_hash,
        parts=len(manifest.finished),
        resumed=resumed,
        rows=manifest.rows,
        counts=manifest.counts,
        seconds=seconds,
        left_out=tuple(left_out),
        n_left_out=n_left_out,
    )


def _scored(  # noqa: PLR0917
    engine: str | None,
    scoring: Scoring,
    names: Sequence[str],
    part_size: int,
    manifest: Manifest,
    workers: int | None,
) -> Iterator[Scored]:
    """Yield the parts that are left as they are finished."""
    if engine == "ray":
        from mri_tumor.scale.ray_engine import score_by_ray

        yield from score_by_ray(scoring, names, part_size, manifest.finished, workers=workers)
        return
    scorer = Scorer(scoring, threads=workers)
    yield from map(scorer, unfinished(find_parts(names, size=part_size), manifest.finished))


def _settings(scoring: Scoring, names: Sequence[str], part_size: int) -> dict[str, Any]:
    from mri_tumor import __version__

    return {
        "mri-tumor": __version__,
        "model_sha256": scoring.model_sha256,
        "classes": list(scoring.classes),
        "threshold": scoring.threshold,
        "plane": scoring.plane,
        "part_size": part_size,
        "inputs": [name.encode("utf-8", "backslashreplace").decode() for name in names],
        "notice": NOTICE,
    }


def _check(  # noqa: PLR0917
    names: Sequence[str],
    folder: Path,
    engine: str | None,
    workers: int | None,
    threshold: float | None,
    part_size: int,
) -> None:
    if engine not in {None, "ray"}:
        raise ParameterError(f"engine: must be 'ray' or None. Received: {engine!r}")
    for name, value in (("workers", workers), ("part_size", part_size)):
        if value is not None and value < 1:
            raise ParameterError(f"{name}: must be 1 or more. Received: {value!r}")
    if threshold is not None and not 0 <= threshold <= 1:
        raise ParameterError(f"threshold: must be from 0 to 1. Received: {threshold!r}")
    if not names:
        raise ParameterError("inputs: there is none. Name a file, a folder or a URL.")
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"output: must be a folder on a disk. Received: {str(folder)!r}")
    for name in names:
        within = not is_url(name) and folder.resolve().is_relative_to(Path(name).resolve())
        if within and Path(name).is_dir():
            message = f"output: {folder} lies within the input {name}. Choose another place."
            raise ParameterError(message)
    check_pyarrow()
