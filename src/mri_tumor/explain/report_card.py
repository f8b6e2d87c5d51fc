"""The result of an explanation report: a table that prints, renders and saves."""

from __future__ import annotations

import html
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.explain.picture import NOTICE
from mri_tumor.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from mri_tumor.explain.randomisation import RandomisationCheck

ALL = "all"
_COLUMNS = {
    "pointing": "pointing",
    "near": "near",
    "energy": "energy",
    "iou": "best IoU",
    "deletion": "deletion",
    "insertion": "insertion",
    "empty": "empty",
    "images_per_second": "images/s",
}


@dataclass(frozen=True)
class MethodSummary:
    """Means over the images of one class, or of all, for one method or baseline.

    Parameters
    ----------
    method : str
        The method or baseline.
    label : str
        The class, or ``"all"``.
    n_images : int
        Images.
    pointing, near : float or None
        Share of the peaks inside the region, and inside or within the tolerance; None without
        regions.
    energy, iou : float or None
        Mean share of the map inside the region, and mean best intersection over union.
    deletion, insertion : float or None
        Mean area under the curves, over the images that they were drawn for; low and high are good.
    empty : float
        Share of the maps that are zero everywhere.
    images_per_second : float or None
        Speed of the method on this machine, maps only; None for a baseline.
    """

    method: str
    label: str
    n_images: int
    pointing: float | None
    near: float | None
    energy: float | None
    iou: float | None
    deletion: float | None
    insertion: float | None
    empty: float
    images_per_second: float | None


def summarise(
    rows: Sequence[Mapping[str, Any]], speed: Mapping[str, float | None], tolerance: float
) -> tuple[MethodSummary, ...]:
    """Average the images' measures by method and class.

    Parameters
    ----------
    rows : sequence of mapping
        One per method and image: `method`, `label`, `empty`, and what was measured of `distance`,
        `energy`, `iou`, `deletion`, `insertion`.
    speed : mapping of str to float or None
        Images per second by method, in the order to report.
    tolerance : float
        Distance up to which a peak counts as near.

    Returns
    -------
    tuple of MethodSummary
        For each method all images first, then each class.
    """
    result = []
    for method, rate in speed.items():
        mine = [row for row in rows if row["method"] == method]
        labels = sorted({row["label"] for row in mine if row["label"] is not None})
        for label in (ALL, *labels):
            part = [row for row in mine if label in (ALL, row["label"])]
            distances = [row["distance"] for row in part if "distance" in row]
            result.append(
                MethodSummary(
                    method=method,
                    label=label,
                    n_images=len(part),
                    pointing=_mean(distance <= 0 for distance in distances),
                    near=_mean(distance <= tolerance for distance in distances),
                    energy=_mean(row["energy"] for row in part if "energy" in row),
                    iou=_mean(row["iou"] for row in part if "iou" in row),
                    deletion=_mean(row["deletion"] for row in part if "deletion" in row),
                    insertion=_mean(row["insertion"] for row in part if "insertion" in row),
                    empty=_mean(row["empty"] for row in part) or 0.0,
                    images_per_second=rate,
                )
            )
    return tuple(result)


def _mean(values: Iterable[float]) -> float | None:
    listed = [float(value) for value in values]
    return sum(listed) / len(listed) if listed else None


@dataclass(frozen=True, eq=False, repr=False)
class ExplanationReport:
    """How far to trust a model's maps.

    Parameters
    ----------
    n_images : int
        Images explained.
    tolerance : float
        Distance from the region, as a fraction of the image's sides, up to which a peak is near.
    steps : int
        Points of the deletion and insertion curves; 0 where there are none.
    options : mapping of str to mapping
        Options by method.
    summary : tuple of MethodSummary
        The measures by method and class, baselines last.
    randomisation : tuple of RandomisationCheck
        The model-randomisation check of each method.
    images : tuple of mapping
        The measures by method and image.
    """

    n_images: int
    tolerance: float
    steps: int
    options: Mapping[str, Mapping[str, Any]]
    summary: tuple[MethodSummary, ...]
    randomisation: tuple[RandomisationCheck, ...]
    images: tuple[Mapping[str, Any], ...]

    def to_dict(self, *, include_images: bool = False) -> dict[str, Any]:
        """Return the report ready for JSON.

        Parameters
        ----------
        include_images : bool, default=False
            With the measures of every image. A flat map's distance is None.

        Returns
        -------
        dict
            Plain values; what was not measured is None.
        """
        result: dict[str, Any] = {
            "n_images": self.n_images,
            "tolerance": self.tolerance,
            "steps": self.steps,
            "options": {name: dict(given) for name, given in self.options.items()},
            "summary": [dict(vars(one)) for one in self.summary],
            "randomisation": [one.to_dict() for one in self.randomisation],
            "notice": NOTICE,
        }
        if include_images:
            result["images"] = [
                {key: _plain(value) for key, value in row.items()} for row in self.images
            ]
        return result

    def to_json(self, *, include_images: bool = False, indent: int | None = 2) -> str:
        """Return :meth:`to_dict` as JSON text."""
        plain = self.to_dict(include_images=include_images)
        return json.dumps(plain, indent=indent, allow_nan=False, default=str)

    def save(self, path: str | PathLike[str], *, include_images: bool = True) -> None:
        """Write :meth:`to_json` to a file."""
        text = self.to_json(include_images=include_images) + "\n"
        write_whole(Path(path), lambda file: file.write(text.encode()))

    def __str__(self) -> str:
        lines = [
            (
                f"{self.n_images} images; near: within {self.tolerance:.0%} of the image's sides; "
                "deletion: lower is better"
            ),
            "",
        ]
        header, body = self._table()
        cells = [header, *body]
        widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
        for row in cells:
            start = f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}"
            rest = (f"{cell:>{width}}" for cell, width in zip(row[2:], widths[2:], strict=True))
            lines.append("  ".join([start, *rest]))
        lines += ["", *self._verdicts(), NOTICE]
        return "\n".join(lines)

    def __repr__(self) -> str:
        methods = dict.fromkeys(one.method for one in self.summary)
        return f"<ExplanationReport of {self.n_images} images: {', '.join(methods)}>"

    def _repr_html_(self) -> str:
        header, body = self._table()
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in body
        )
        notes = "<br>".join(html.escape(line) for line in (*self._verdicts(), NOTICE))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><p>{notes}</p>"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        used = [
            key for key in _COLUMNS if any(getattr(one, key) is not None for one in self.summary)
        ]
        header = ["method", "class", "n", *(_COLUMNS[key] for key in used)]
        body = [
            [one.method, one.label, str(one.n_images), *(_cell(one, key) for key in used)]
            for one in self.summary
        ]
        return header, body

    def _verdicts(self) -> list[str]:
        return [
            f"{one.method}: random weights {'destroy' if one.passed else 'DO NOT destroy'} the map "
            f"(rank correlation {one.similarities[-1]:.2f})"
            for one in self.randomisation
        ]


def _cell(one: MethodSummary, key: str) -> str:
    value = getattr(one, key)
    if value is None:
        return "-"
    if key == "images_per_second":
        return f"{value:.1f}"
    return f"{value:.1%}" if key in ("pointing", "near", "empty") else f"{value:.3f}"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
