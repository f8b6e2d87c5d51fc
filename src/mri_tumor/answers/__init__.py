"""From files to answers: the network's outputs, calibrated, decided on, or refused."""

from mri_tumor.answers.calibration import calibrate_rule
from mri_tumor.answers.engine import Answering
from mri_tumor.answers.predictor import PredictsFromImages
from mri_tumor.answers.rule import DecisionRule

__all__ = ["Answering", "DecisionRule", "PredictsFromImages", "calibrate_rule"]
