"""What a model's own report says: gathered from the model, its data and its evaluation."""

from __future__ import annotations

import platform
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor import __version__
from mri_tumor.evaluation.rule_check import describe_rule, reliability_before_and_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mri_tumor.answers.rule import DecisionRule
    from mri_tumor.data import Dataset
    from mri_tumor.evaluation import EvaluationReport
    from mri_tumor.images.preprocessing import Preprocessing

_PACKAGES = ("keras", "tensorflow", "numpy", "scikit-learn", "pillow")


def report_content(
    model: Any,
    evaluation: EvaluationReport,
    *,
    dataset: Dataset | None = None,
    split: str = "",
    seen: str = "",
) -> dict[str, Any]:
    """Gather the sections of a report.

    Parameters
    ----------
    model : TumorClassifier
        A fitted one.
    evaluation : EvaluationReport
        Its result, with images.
    dataset : Dataset, optional
        All the data, with their parts.
    split : str, optional
        How they were divided, in words.
    seen : str, optional
        What the model has seen of them before, in words.

    Returns
    -------
    dict
        Arguments of `write_html_report` and `render_html_report`.
    """
    content: dict[str, Any] = {
        "calibration": describe_decisions(model.rule_, evaluation),
        "model": _model(model),
        "versions": {
            "mri-tumor": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
    }
    curves = reliability_before_and_after(evaluation, temperature=model.rule_.temperature)
    content["calibration"]["curves"] = {
        f"P(tumor) {name} the temperature": curve for name, curve in curves.items()
    }
    if model.history_:
        content["history"] = model.history_
    if dataset is not None:
        content["dataset_summary"] = {
            **{name: value for name, value in about_dataset(dataset).items() if value != []},
            **({"seen_before": seen} if seen else {}),
            **({"split": split} if split else {}),
            "split_level": seen
            or (
                "Groups: patients where known, and near-duplicates, turned and mirrored copies "
                f"included. {dataset.leaks}."
            ),
            "preprocessing": _preprocessing(model.preprocessing_),
        }
        content["audit"] = _copies(dataset)
    return content


def describe_decisions(rule: DecisionRule, evaluation: EvaluationReport) -> dict[str, Any]:
    """Say how probabilities become answers, and how well that held on other images.

    Parameters
    ----------
    rule : DecisionRule
        In use.
    evaluation : EvaluationReport
        Of images that the rule was not fitted on.

    Returns
    -------
    dict
        ``threshold``, ``temperature``, ``before``, ``after``, ``prediction_sets``,
        ``operating_point``, ``conformal``; the last three where there are any.
    """
    found = {"threshold": evaluation.threshold} | describe_rule(
        evaluation, temperature=rule.temperature, conformal=rule.conformal
    )
    if rule.operating_point is not None:
        found["operating_point"] = rule.operating_point.to_dict()
    if rule.conformal is not None:
        found["conformal"] = rule.conformal.to_dict()
    return found


def about_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return the size, the parts and the fingerprint of a data set.

    Parameters
    ----------
    dataset : Dataset
        The data.

    Returns
    -------
    dict
        What JSON can hold. Files are named with their last folder only.
    """
    return {
        "source": ", ".join(
            f"{name} ({n:,} images)" for name, n in sorted(Counter(dataset.sources).items())
        ),
        "n_images": len(dataset),
        "n_groups": len(set(dataset.groups.tolist())),
        "counts": dataset.counts(),
        "fingerprint": dataset.fingerprint,
        "n_left_out": len(dataset.problems),
        "left_out": [
            {"file": Path(*Path(one.path).parts[-2:]).as_posix(), "reason": one.reason}
            for one in dataset.problems[:100]
        ],
    }


def _model(model: Any) -> dict[str, Any]:
    options = model.get_params(deep=False)
    weights, stages = options["weights"], model.history_.get("stage", [])
    text = (
        f"Adam from {options['learning_rate']:g}, {stages.count('head')} epochs of the head, "
        f"batches of {options['batch_size']}, augmentation {options['augmentation']}, "
        f"{options['n_variants']} variants of each image, patience {options['patience']}, "
        f"seed {options['seed']}."
    )
    if "head" not in stages:
        text = "Not by fit alone: see the model card, or what made the weights."
    elif options["finetune_epochs"]:
        n_layers = options["finetune_layers"] or model.backbone_.finetune_layers
        text += (
            f" Then {stages.count('finetune')} epochs with the last {n_layers} layers "
            f"of the backbone, from {options['finetune_learning_rate']:g}."
        )
    return {
        "name": f"{model.backbone_.name} with a head of {options['hidden_units']} units",
        "input_size": model.preprocessing_.size,
        "classes": [str(name) for name in model.classes_],
        "weights": "random" if weights is None else Path(str(weights)).name,
        "training": text,
        "refuses_other_images": model.gate_ is not None,
    }


def _preprocessing(settings: Preprocessing) -> str:
    return ", ".join(f"{name}: {value}" for name, value in settings.to_dict().items())


def _copies(dataset: Dataset) -> Mapping[str, Any]:
    """Count copies, by what was read already."""
    alike, same = Counter(dataset.duplicates.tolist()), Counter(dataset.content_hashes)
    leaks = dataset.leaks
    return {
        "exact_duplicate_groups": sum(n > 1 for n in same.values()),
        "exact_duplicate_images": sum(n for n in same.values() if n > 1),
        "near_duplicate_groups": sum(n > 1 for n in alike.values()),
        "near_duplicate_images": sum(n for n in alike.values() if n > 1),
        "groups_across_the_split": leaks.groups,
        "images_with_a_relative_in_an_earlier_part": leaks.images,
    }
