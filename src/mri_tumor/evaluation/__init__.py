"""Figures of a model on labelled images, with intervals that respect groups."""

from mri_tumor.evaluation.calibration import brier_score as brier_score
from mri_tumor.evaluation.calibration import (
    expected_calibration_error as expected_calibration_error,
)
from mri_tumor.evaluation.intervals import clopper_pearson as clopper_pearson
from mri_tumor.evaluation.intervals import wilson as wilson
from mri_tumor.evaluation.report import EvaluationReport as EvaluationReport
from mri_tumor.evaluation.scoring import evaluate_predictions as evaluate_predictions
