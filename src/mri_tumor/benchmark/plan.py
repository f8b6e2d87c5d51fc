"""What a benchmark is to do: a cell for each backbone and seed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.backbones import BackboneSpec
from mri_tumor.errors import ParameterError
from mri_tumor.files import sha256_of

if TYPE_CHECKING:
    from mri_tumor.data import Dataset

IMAGENET = "imagenet"
SCRATCH = "from scratch"

Weights = str | os.PathLike[str] | None
# These show nothing, or differ from cell to cell.
_NOT_OF_THE_RECIPE = {"backbone", "weights", "seed", "verbose"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training.

    Parameters
    ----------
    backbone : str or BackboneSpec
        What is trained.
    weights : str, path or None
        What it starts from, as `TumorClassifier` takes it.
    seed : int
        Seed of the training.
    """

    backbone: str | BackboneSpec
    weights: Weights
    seed: int

    @property
    def name(self) -> str:
        """Name of the backbone."""
        return self.backbone.name if isinstance(self.backbone, BackboneSpec) else self.backbone

    @property
    def started_from(self) -> str:
        """What it starts from, as tables say it: of a file its name alone."""
        return SCRATCH if self.weights is None else Path(self.weights).name

    @property
    def key(self) -> str:
        """Name of the cell's folder; that of another backbone, weights or seed is another."""
        start = "" if self.weights is None else os.fspath(self.weights)
        if start and Path(start).is_file():
            start = sha256_of(Path(start))
        # Names that differ only in signs that no file's name should hold need the hash.
        whole = f"{self.name}\0{start}\0{self.weights is None}"
        digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        shown = re.sub(r"[^A-Za-z0-9.]+", "-", f"{self.name}-{self.started_from}")[:80].strip("-.")
        return f"{shown}-{digest}-seed{self.seed}"


def plan_cells(
    backbones: Sequence[str | BackboneSpec],
    seeds: int | Sequence[int],
    weights: Weights | Mapping[str, Weights],
) -> tuple[Cell, ...]:
    """Return every cell; all backbones come once before any comes again.

    Parameters
    ----------
    backbones : sequence of str or BackboneSpec
        At least one, each once.
    seeds : int or sequence of int
        How many, from 0 on, or which.
    weights : str, path, None, or a mapping of these by backbone
        What all start from; in a mapping, ``"imagenet"`` for those that it does not name.

    Returns
    -------
    tuple of Cell
        Seed by seed.

    Raises
    ------
    ParameterError
        If there are none, one is given twice, or weights are for a backbone that is not there.
    """
    if isinstance(backbones, (str, BackboneSpec)):
        backbones = [backbones]
    chosen = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    names = [one.name if isinstance(one, BackboneSpec) else str(one) for one in backbones]
    for what, values in (("backbones", names), ("seeds", chosen)):
        if not values or len(set(values)) < len(values):
            message = f"{what}: give at least one, and none twice. Received: {values!r}"
            raise ParameterError(message)
    if min(chosen) < 0:
        raise ParameterError(f"seeds: must be 0 or more. Received: {chosen!r}")
    by_name: Mapping[str, Any] = (
        weights if isinstance(weights, Mapping) else dict.fromkeys(names, weights)
    )
    if strange := sorted(set(by_name) - set(names)):
        message = f"weights: {strange[0]!r} is none of the backbones. Received: {', '.join(names)}"
        raise ParameterError(message)
    return tuple(
        Cell(backbone=backbone, weights=by_name.get(name, IMAGENET), seed=seed)
        for seed in chosen
        for name, backbone in zip(names, backbones, strict=True)
    )


def settings_of(data: Dataset, parameters: Mapping[str, Any], n_bootstrap: int) -> dict[str, Any]:
    """Return what all cells of one folder share, as values that can be compared later.

    Parameters
    ----------
    data : Dataset
        Images and their parts.
    parameters : mapping
        Those of the classifier.
    n_bootstrap : int
        Resamples for intervals.

    Returns
    -------
    dict
        What JSON can hold, by the name of the setting.
    """
    from mri_tumor import __version__

    digest = hashlib.sha256()
    rows = zip(data.content_hashes, data.labels, data.groups.tolist(), data.splits, strict=True)
    for row in rows:
        digest.update(("\0".join(map(str, row)) + "\n").encode("utf-8", "surrogatepass"))
    recipe = {k: _plain(v) for k, v in parameters.items() if k not in _NOT_OF_THE_RECIPE}
    return {
        "mri-tumor": __version__,
        "images": digest.hexdigest(),
        "n_bootstrap": n_bootstrap,
        **recipe,
        "cache": bool(parameters.get("cache", True)),  # where it is has no effect
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in sorted(value.items())}
    # The place of an object in memory is another in every process: its name will do.
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__} {getattr(value, 'name', '')}".strip()
