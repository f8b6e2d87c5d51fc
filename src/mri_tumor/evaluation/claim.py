"""Items of the CLAIM checklist that a run can fill in by itself.

The checklist: Mongan, Moy and Kahn, "Checklist for Artificial Intelligence in Medical Imaging
(CLAIM): A Guide for Authors and Reviewers", Radiology: Artificial Intelligence 2, 2020.
doi:10.1148/ryai.2020200029. Its numbers are used; its topics are put in short words here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mri_tumor.evaluation.render import show_interval, show_number
from mri_tumor.labels import is_missing

if TYPE_CHECKING:
    from mri_tumor.evaluation.report import EvaluationReport

AUTHORS = "For the authors: this run does not know it."
LIMITS = (
    "Evaluated on single slices of one collection; no demographics are known here, the reference "
    "standard is the label given with the data, and results elsewhere can be much worse. "
    "Research software, not a medical device."
)
# What no run can know: the study around it.
TOPICS = {
    1: "Identification as a study of AI, and its kind",
    2: "Structured summary",
    3: "Background, intended use and clinical role",
    4: "Objectives and hypotheses",
    5: "Prospective or retrospective",
    6: "Goal of the study",
    7: "Data sources",
    8: "Eligibility criteria",
    9: "Preprocessing",
    10: "Selection of subsets",
    11: "Definitions of data elements",
    12: "De-identification",
    13: "Missing data",
    14: "Reference standard",
    15: "Why this reference standard",
    16: "Source of annotations, and the annotators",
    17: "Annotation tools",
    18: "Variability among annotators",
    19: "Sample size and how it was set",
    20: "Assignment to partitions",
    21: "Level at which partitions are disjoint",
    22: "Model",
    23: "Software and versions",
    24: "Initialization of parameters",
    25: "Training",
    26: "Choice of the final model",
    27: "Ensembling",
    28: "Metrics",
    29: "Significance and uncertainty",
    30: "Robustness",
    31: "Explanations, and how they were validated",
    32: "External data",
    33: "Flow of cases",
    34: "Characteristics of each partition",
    35: "Performance of the best model",
    36: "Diagnostic accuracy with its precision",
    37: "Failure analysis",
    38: "Limitations",
    39: "Implications for practice",
    40: "Registration",
    41: "Protocol, code and data",
    42: "Funding",
}


@dataclass(frozen=True)
class ClaimItem:
    """One item of the checklist.

    Parameters
    ----------
    number : int
        Its number in CLAIM 2020.
    topic : str
        What it asks for, in short.
    text : str
        What the run knows about it.
    filled : bool
        False where the authors have to write it.
    """

    number: int
    topic: str
    text: str
    filled: bool


def claim_items(
    evaluation: "EvaluationReport",
    *,
    dataset: Mapping[str, Any] | None = None,
    model: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    versions: Mapping[str, Any] | None = None,
) -> list[ClaimItem]:
    """Fill in what the run knows of the checklist.

    Parameters
    ----------
    evaluation : EvaluationReport
        The result.
    dataset, model : mapping, optional
        What is known of the data ("source", "preprocessing", "split", "split_level", "counts",
        "problems") and of the model ("name", "weights", "training"); other entries are not
        looked at.
    history : mapping of str to sequence, optional
        Training curves.
    versions : mapping, optional
        Software and versions.

    Returns
    -------
    list of ClaimItem
        All 42 items in order.
    """
    known = _from_evaluation(evaluation)
    known |= _from_settings(dataset or {}, model or {}, versions or {})
    for number, text in _from_history(history or {}).items():
        known[number] = f"{known[number]} {text}" if number in known else text
    return [
        ClaimItem(number, topic, known.get(number, AUTHORS), filled=number in known)
        for number, topic in TOPICS.items()
    ]


def _from_evaluation(report: "EvaluationReport") -> dict[int, str]:
    unit = f"{report.n_groups:,} groups" if report.grouped else "images, each taken as independent"
    tumor = report.tumor
    accuracy = "; ".join(
        f"{name} {show_number(tumor[name])}"
        f" ({show_interval(report.intervals['tumor'][name]) or 'no interval'})"
        for name in ("sensitivity", "specificity", "auc")
    )
    pairs = ", ".join(
        f"{true} called {called}: {count}" for true, called, count in report.most_confused()[:5]
    )
    by_class = ", ".join(f"{name} {count:,}" for name, count in report.n_images_by_class.items())
    return {
        13: (
            f"{report.n_refused:,} of {report.n_images:,} test images were refused and count as "
            f"wrong in every figure; {report.n_unknown_subtype:,} tumors of unknown subtype are "
            "scored as tumor or not only."
        ),
        28: (
            "Sensitivity, specificity, predictive values, F1, AUC and accuracy for tumor or not "
            f"at P(tumor) >= {report.threshold:.4g}, and for each class against the rest."
        ),
        29: (
            f"{100 * report.confidence:.4g}% intervals by bootstrap over {unit} "
            f"({report.n_bootstrap:,} resamples, seed {report.seed}), exact binomial where errors "
            "are few."
            if report.n_bootstrap
            else "None: the bootstrap was left out."
        ),
        33: f"Tested: {report.n_images:,} images; answered: {report.n_images - report.n_refused:,}.",
        34: f"Test images by class: {by_class}. Demographics: for the authors.",
        35: "See the tables of this report.",
        36: f"Tumor or not: {accuracy}.",
        37: f"Most confused: {pairs}." if pairs else "No image was given a wrong class.",
        38: LIMITS,
    }


def _from_settings(
    dataset: Mapping[str, Any], model: Mapping[str, Any], versions: Mapping[str, Any]
) -> dict[int, str]:
    wanted = {
        7: dataset.get("source"),
        9: dataset.get("preprocessing"),
        20: dataset.get("split"),
        21: dataset.get("split_level"),
        22: model.get("name"),
        24: model.get("weights"),
        25: model.get("training"),
    }
    found = {number: _in_words(value) for number, value in wanted.items() if value}
    if versions:
        found[23] = _in_words(versions)
    return found


def _from_history(history: Mapping[str, Any]) -> dict[int, str]:
    # Epochs are judged by the loss after the best temperature, where that was kept.
    judged = "val_calibrated_loss" if len(history.get("val_calibrated_loss", ())) else "val_loss"
    losses = {
        epoch: float(loss)
        for epoch, loss in enumerate(history.get(judged, ()), start=1)
        if not is_missing(loss)
    }
    stages = [str(stage) for stage in history.get("stage", ())]
    spent = ", ".join(f"{stage} {stages.count(stage)}" for stage in dict.fromkeys(stages))
    found = {}
    if spent:
        found[25] = f"Epochs by stage: {spent}."
    if losses:
        best = min(losses, key=losses.__getitem__)
        after = " after the best temperature" if judged != "val_loss" else ""
        found[26] = (
            f"Epoch {best} of {len(history[judged])} has the lowest validation loss{after}."
        )
    return found


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_in_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_words, value))
    return str(value)
