"""Score one part: what a worker does, wherever it is."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mri_tumor.answers.table_formats import columns, flat
from mri_tumor.bundle import METADATA, find_bundle, read_bundle
from mri_tumor.errors import BundleError, MissingExtraError
from mri_tumor.runtime.predictor import load, serves
from mri_tumor.scale.reading import open_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mri_tumor.bundle import Bundle
    from mri_tumor.images.options import Plane
    from mri_tumor.scale.parts import Part

MODEL_COLUMN = "model_sha256"


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What decides the rows.

    Parameters
    ----------
    model : str
        Folder or name of a model; the same content on every machine.
    model_sha256 : str
        Hash of its ``metadata.json``, which holds those of all its files.
    classes : tuple of str
        Its classes, in the order of the columns.
    threshold : float or None
        Instead of the model's own.
    plane : {"axial", "coronal", "sagittal"} or None
        How NIfTI volumes are cut.
    """

    model: str
    model_sha256: str
    classes: tuple[str, ...]
    threshold: float | None
    plane: Plane | None


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A finished part.

    Parameters
    ----------
    part : Part
        Its inputs.
    content : bytes
        Its rows, as a Parquet file.
    rows : int
        How many there are.
    counts : Counter of str
        Images and volumes by status; slices are not counted.
    worker : int
        Process that did it.
    """

    part: Part
    content: bytes = field(repr=False)
    rows: int
    counts: Counter[str]
    worker: int


def describe_model(model: str) -> tuple[Bundle, str]:
    """Find a model that answers without TensorFlow, and return it with its hash.

    Raises
    ------
    BundleError
        If it is missing, damaged, or has no network for that.
    """
    bundle = read_bundle(find_bundle(model))
    if not serves(bundle):
        message = (
            f"{bundle.path}: answers with TensorFlow only. Save it by save(path, runtime=True), "
            "or train it by mri-tumor train."
        )
        raise BundleError(message)
    return bundle, hashlib.sha256((bundle.path / METADATA).read_bytes()).hexdigest()


class Scorer:
    """Scores parts with a model that it has loaded once, without TensorFlow.

    Parameters
    ----------
    scoring : Scoring
        What decides the rows.
    threads : int, optional
        Threads of the network; by default those of this process, at most 4.

    Raises
    ------
    BundleError
        If the model is missing or damaged, or is another here.
    """

    def __init__(self, scoring: Scoring, *, threads: int | None = None) -> None:
        bundle, found = describe_model(scoring.model)
        if found != scoring.model_sha256:
            message = (
                f"{bundle.path}: is another model on this machine than where the run was started. "
                "Copy the model to each machine, or name a folder that all of them share."
            )
            raise BundleError(message)
        self.scoring, self.runtime = scoring, load(bundle, threads=threads)

    def __call__(self, part: Part) -> Scored:
        """Score a part; an image that cannot be read is a row that says so."""
        scoring = self.scoring
        counts: Counter[str] = Counter()
        made: list[dict[str, Any]] = []
        scans = open_part(part, plane=scoring.plane)
        for rows in self.runtime.assess_scans(scans, threshold=scoring.threshold):
            counts[rows[-1]["status"]] += 1
            made += [flat(row, scoring.classes) for row in rows]
        content = to_parquet(made, scoring.classes, scoring.model_sha256)
        return Scored(
            part=part, content=content, rows=len(made), counts=counts, worker=os.getpid()
        )


def to_parquet(rows: Sequence[dict[str, Any]], classes: Sequence[str], model: str) -> bytes:
    """Write rows as a Parquet file in memory; the same rows give the same bytes.

    Parameters
    ----------
    rows : sequence of dict
        From `flat`.
    classes : sequence of str
        In the order of the columns.
    model : str
        Value of the column ``model_sha256``.

    Returns
    -------
    bytes
        The file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"slice": pa.int32(), "tumor_probability": pa.float64()}
    kinds |= {f"p_{name}": pa.float64() for name in classes}
    names = [*columns(classes), MODEL_COLUMN]
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in names])
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist([{**row, MODEL_COLUMN: model} for row in rows], schema=schema)
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def check_pyarrow() -> None:
    """Refuse to begin where no Parquet can be written.

    Raises
    ------
    MissingExtraError
        If PyArrow is missing.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        message = (
            "output: a folder of parts needs PyArrow: pip install 'mri-tumor[parquet]'. "
            "Or write FILE.jsonl or FILE.csv."
        )
        raise MissingExtraError(message) from error
