"""Say where in an image the evidence for a class lies, and how far to trust that.

Research software, not a medical device: a map shows what moved the model, not where a tumor is.
Importing this loads neither TensorFlow nor Keras; explaining a Keras model does.
"""

from mri_tumor.explain.closed_form import PooledHead, closed_form_grad_cam
from mri_tumor.explain.colormap import COLORMAPS
from mri_tumor.explain.core import Explanation
from mri_tumor.explain.heatmap import Heatmap
from mri_tumor.explain.methods.eigen_cam import eigen_cam
from mri_tumor.explain.methods.grad_cam import grad_cam
from mri_tumor.explain.methods.grad_cam_plus_plus import grad_cam_plus_plus
from mri_tumor.explain.methods.head_cam import head_cam
from mri_tumor.explain.methods.hires_cam import hires_cam
from mri_tumor.explain.methods.integrated_gradients import integrated_gradients
from mri_tumor.explain.methods.layer_cam import layer_cam
from mri_tumor.explain.methods.occlusion import occlusion
from mri_tumor.explain.methods.saliency import saliency
from mri_tumor.explain.methods.score_cam import score_cam
from mri_tumor.explain.methods.smooth_grad import smooth_grad
from mri_tumor.explain.options import CamOptions, TargetOptions
from mri_tumor.explain.pooled_head import read_pooled_head
from mri_tumor.explain.randomisation import RandomisationCheck, randomisation_check
from mri_tumor.explain.registry import METHODS, explain_batch, get_method, method_options
from mri_tumor.explain.report import explanation_report
from mri_tumor.explain.report_card import ExplanationReport
from mri_tumor.explain.sheets import montage, sheet

__all__ = [
    "COLORMAPS",
    "METHODS",
    "CamOptions",
    "Explanation",
    "ExplanationReport",
    "Heatmap",
    "PooledHead",
    "RandomisationCheck",
    "TargetOptions",
    "closed_form_grad_cam",
    "eigen_cam",
    "explain_batch",
    "explanation_report",
    "get_method",
    "grad_cam",
    "grad_cam_plus_plus",
    "head_cam",
    "hires_cam",
    "integrated_gradients",
    "layer_cam",
    "method_options",
    "montage",
    "occlusion",
    "randomisation_check",
    "read_pooled_head",
    "saliency",
    "score_cam",
    "sheet",
    "smooth_grad",
]
