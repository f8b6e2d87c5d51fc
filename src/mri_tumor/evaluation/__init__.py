"""Figures of a model on labelled images, with intervals that respect groups."""

from mri_tumor.evaluation.calibration import (
    ReliabilityCurve,
    brier_score,
    expected_calibration_error,
    reliability_curve,
)
from mri_tumor.evaluation.comparison import Comparison, Difference, compare_predictions
from mri_tumor.evaluation.conformal import conformal_threshold, is_uncertain, prediction_sets
from mri_tumor.evaluation.conformal_rule import ConformalRule
from mri_tumor.evaluation.curves import Curve, precision_recall_curve, roc_curve
from mri_tumor.evaluation.html_report import write_html_report
from mri_tumor.evaluation.intervals import clopper_pearson, wilson
from mri_tumor.evaluation.mcnemar import McNemar, mcnemar
from mri_tumor.evaluation.operating import OperatingPoint, choose_threshold
from mri_tumor.evaluation.points import (
    CurvePoint,
    predictive_values,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)
from mri_tumor.evaluation.report import EvaluationReport
from mri_tumor.evaluation.scoring import evaluate_predictions
from mri_tumor.evaluation.temperature import (
    apply_temperature,
    fit_temperature,
    negative_log_likelihood,
)

__all__ = [
    "Comparison",
    "ConformalRule",
    "Curve",
    "CurvePoint",
    "Difference",
    "EvaluationReport",
    "McNemar",
    "OperatingPoint",
    "ReliabilityCurve",
    "apply_temperature",
    "brier_score",
    "choose_threshold",
    "clopper_pearson",
    "compare_predictions",
    "conformal_threshold",
    "evaluate_predictions",
    "expected_calibration_error",
    "fit_temperature",
    "is_uncertain",
    "mcnemar",
    "negative_log_likelihood",
    "precision_recall_curve",
    "prediction_sets",
    "predictive_values",
    "reliability_curve",
    "roc_curve",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "wilson",
    "write_html_report",
]
