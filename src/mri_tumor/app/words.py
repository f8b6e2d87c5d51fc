"""What an answer means, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mri_tumor.answers.rule import DecisionRule

Kind = Literal["tumor", "no tumor", "uncertain", "refused", "error"]

WARNING = "Research software, not a medical device. Do not use it for diagnosis or treatment."
NOT_HEALTHY = "This says nothing about whether the person is healthy."


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """An answer as a person reads it.

    Parameters
    ----------
    kind : {"tumor", "no tumor", "uncertain", "refused", "error"}
        What sort of answer it is.
    title : str
        A few words.
    meaning : str
        What it means, and what it does not.
    """

    kind: Kind
    title: str
    meaning: str


def verdict(row: Mapping[str, Any], rule: DecisionRule) -> Verdict:
    """Say what an answer means.

    Parameters
    ----------
    row : mapping
        As `Assessment.to_dict` gives, or the row of a volume.
    rule : DecisionRule
        What the answer was decided by.

    Returns
    -------
    Verdict
        Never one of health: not even "no tumour" is.
    """
    status, label = row["status"], row["label"]
    if status == "error":
        return Verdict(kind="error", title="Cannot be read", meaning=sentence(row["message"]))
    if status == "refused":
        meaning = f"{sentence(row['message'])} There is no answer for it. {NOT_HEALTHY}"
        return Verdict(kind="refused", title="Refused: no answer", meaning=meaning)
    p = row["tumor_probability"]
    if status == "uncertain":
        leaning = "no tumour" if label == rule.negative_class else class_name(label)
        meaning = (
            f"{sentence(row['message'])} The model leans to {leaning}, which is not enough to "
            f"rely on. {NOT_HEALTHY}"
        )
        return Verdict(kind="uncertain", title="Uncertain", meaning=meaning)
    limit = f"the model calls a tumour from {percent(rule.threshold)} on"
    if label != rule.negative_class:
        meaning = f"The probability reaches the threshold: {limit}."
        return Verdict(kind="tumor", title=f"Called: {class_name(label)}", meaning=meaning)
    if p >= 0.5:
        meaning = (
            f"A tumour is likelier than not, yet below the threshold: {limit}. Look again. "
            f"{NOT_HEALTHY}"
        )
        return Verdict(kind="uncertain", title="Below the threshold, and close", meaning=meaning)
    meaning = f"The probability is below the threshold: {limit}. {NOT_HEALTHY}"
    return Verdict(kind="no tumor", title="No tumour called", meaning=meaning)


def probability_in_words(p: float, rule: DecisionRule, *, volume: bool = False) -> str:
    """Say what a probability of a tumour means.

    Parameters
    ----------
    p : float
        In [0, 1].
    rule : DecisionRule
        Whether and on what it was calibrated.
    volume : bool, default=False
        Whether it is that of a volume.

    Returns
    -------
    str
        A sentence or two.
    """
    if not is_calibrated(rule):
        return (
            "This model is not calibrated: take the number as a score that orders images, not as "
            "a frequency."
        )
    if volume:
        return (
            "The mean of the slices that decided. Single slices are calibrated; no whole volumes "
            "were there to calibrate on."
        )
    those = "those" if rule.conformal is None else f"the {rule.conformal.n_calibration:,}"
    return (
        f"Calibrated: of 100 images that get this value, {_of_hundred(p)} show a tumour, among "
        f"images like {those} it was calibrated on. Where tumours are rarer, fewer do."
    )


def threshold_in_words(rule: DecisionRule) -> str:
    """Say what the threshold did on the images that it was chosen on; empty if not known."""
    point = rule.operating_point
    if point is None:
        return ""
    return (
        f"At {percent(rule.threshold)} it called {percent(point.sensitivity)} of the tumours, and "
        f"left {percent(point.specificity)} of the images without one alone "
        f"({point.n_positive:,} and {point.n_negative:,} images)."
    )


def class_name(label: str) -> str:
    """Write a class as people do.

    Examples
    --------
    >>> class_name("notumor"), class_name("glioma")
    ('no tumour', 'glioma')
    """
    known = {"tumor": "tumour", "notumor": "no tumour", "pituitary": "pituitary tumour"}
    return known.get(label, label)


def is_calibrated(rule: DecisionRule) -> bool:
    """Tell whether probabilities were fitted to frequencies."""
    return rule.temperature != 1.0 or rule.conformal is not None


def percent(value: float) -> str:
    """Write a share; never 0% or 100% for what is neither.

    Examples
    --------
    >>> percent(0.876), percent(0.9999), percent(0.001)
    ('88%', '>99%', '<1%')
    """
    if 0 < value < 0.005:
        return "<1%"
    if 0.995 <= value < 1:
        return ">99%"
    return f"{value:.0%}"


def sentence(text: str) -> str:
    """Begin with a capital letter and end with a full stop; a file's name keeps its letters."""
    text = text.strip().rstrip(".")
    first = text.split(" ", 1)[0]
    grown = text if first.endswith(":") else text[:1].upper() + text[1:]
    return f"{grown}." if grown else ""


def _of_hundred(p: float) -> str:
    if p < 0.005:
        return "fewer than 1"
    return "more than 99" if p >= 0.995 else f"about {round(100 * p)}"
