"""Answer for images with a saved model, without TensorFlow: quicker, and in less memory."""

from mri_tumor.runtime.engines import ENGINES
from mri_tumor.runtime.predictor import Runtime, load

__all__ = ["ENGINES", "Runtime", "load"]
