"""What the library says of one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Status = Literal["ok", "uncertain", "refused", "error"]

NOTICE = "Research software, not a medical device."


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What a model says of one image, or why it says nothing.

    Parameters
    ----------
    file : str
        Path of the image, or ``X[i]`` for one of an array.
    label : str or None
        The class without a tumour below the threshold, else the likeliest tumour class; None
        where `status` is ``"refused"`` or ``"error"``.
    tumor_probability : float or None
        Probability of a tumour in [0, 1]: one minus that of the class without.
    probabilities : mapping of str to float, or None
        Probability of each class, in the order of the model's classes.
    status : {"ok", "uncertain", "refused", "error"}
        ``"uncertain"``: tumour and no tumour are both plausible. ``"refused"``: not a brain
        MRI slice as far as the model can tell. ``"error"``: the image could not be read.
    message : str
        Why, in words; empty for ``"ok"``.

    Examples
    --------
    >>> print(Assessment(file="scan.png", label="notumor", tumor_probability=0.02,
    ...                  probabilities={"notumor": 0.98, "tumor": 0.02}, status="ok"))
    scan.png: notumor, P(tumour) = 0.020. Research software, not a medical device.
    """

    file: str
    label: str | None
    tumor_probability: float | None
    probabilities: Mapping[str, float] | None
    status: Status
    message: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, ready for JSON."""
        probabilities = None if self.probabilities is None else dict(self.probabilities)
        return {
            "file": self.file,
            "label": self.label,
            "tumor_probability": self.tumor_probability,
            "probabilities": probabilities,
            "status": self.status,
            "message": self.message,
        }

    def _repr_html_(self) -> str:
        """Render for a notebook; what is no answer never looks like one."""
        from html import escape

        rows = {"file": self.file, "status": self.status, "label": self.label or "no answer"}
        if self.tumor_probability is not None:
            rows["P(tumour)"] = f"{self.tumor_probability:.3f}"
        rows |= {f"P({name})": f"{p:.3f}" for name, p in (self.probabilities or {}).items()}
        if self.message:
            rows["why"] = self.message
        cells = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(value)}</td></tr>'
            for name, value in rows.items()
        )
        return f'<table class="mri-tumor-assessment">{cells}</table><p><small>{NOTICE}</small></p>'

    def __str__(self) -> str:
        if self.label is None:
            return f"{self.file}: {self.status}: {self.message}"
        tumor = f"P(tumour) = {self.tumor_probability:.3f}"
        doubt = f" ({self.status}: {self.message})" if self.status != "ok" else ""
        return f"{self.file}: {self.label}, {tumor}{doubt}. {NOTICE}"


def decide(
    probabilities: NDArray[np.floating[Any]],
    *,
    classes: Sequence[str],
    negative_class: str,
    threshold: float,
) -> NDArray[np.intp]:
    """Return the class that each row of probabilities stands for.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n, n_classes)
        Each row sums to 1.
    classes : sequence of str
        Class of each column.
    negative_class : str
        The class without a tumour.
    threshold : float
        Smallest probability of a tumour that counts as one, in [0, 1].

    Returns
    -------
    ndarray of int, shape (n,)
        Index of the negative class where the probability of a tumour lies below the threshold,
        else of the likeliest tumour class.

    Examples
    --------
    >>> rows = np.array([[0.30, 0.25, 0.45]])
    >>> decide(rows, classes=["glioma", "meningioma", "notumor"], negative_class="notumor",
    ...        threshold=0.5)
    array([0])
    """
    negative = list(classes).index(negative_class)
    tumors = np.array(probabilities, dtype=float)
    tumors[:, negative] = -1.0
    is_tumor = 1.0 - probabilities[:, negative] >= threshold
    return np.where(is_tumor, tumors.argmax(axis=1), negative)


def make_assessment(
    file: str,
    row: NDArray[np.floating[Any]],
    *,
    classes: Sequence[str],
    negative_class: str,
    threshold: float,
    doubt: str = "",
) -> Assessment:
    """Make the assessment of an image from its probabilities.

    Parameters
    ----------
    file : str
        Name of the image.
    row : ndarray of float, shape (n_classes,)
        Probability of each class.
    classes, negative_class, threshold
        As in `decide`.
    doubt : str, default=""
        Why the answer is uncertain, in words; empty where it is not.

    Returns
    -------
    Assessment
        With status ``"ok"``, or ``"uncertain"`` where there is doubt.
    """
    index = decide(row[None], classes=classes, negative_class=negative_class, threshold=threshold)[
        0
    ]
    probabilities = {str(name): float(value) for name, value in zip(classes, row, strict=True)}
    return Assessment(
        file=file,
        label=str(classes[index]),
        tumor_probability=min(1.0, max(0.0, 1.0 - probabilities[negative_class])),
        probabilities=probabilities,
        status="uncertain" if doubt else "ok",
        message=doubt,
    )


def failed(file: str, error: Exception) -> Assessment:
    """Make the assessment of an image that could not be read."""
    return _no_answer(file, "error", str(error))


def refused(file: str, reason: str) -> Assessment:
    """Make the assessment of an image that is no brain MRI slice, for a reason in words."""
    return _no_answer(file, "refused", reason)


def _no_answer(file: str, status: Status, message: str) -> Assessment:
    return Assessment(
        file=file,
        label=None,
        tumor_probability=None,
        probabilities=None,
        status=status,
        message=message,
    )
