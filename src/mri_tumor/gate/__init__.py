"""Refuse what is no brain MRI slice, before a model names it.

A classifier gives one of its classes to any picture. A `Gate` stands before it: simple rules on
the pixels, and a small network on the model's features and on how the picture looks. Checking
needs NumPy and Pillow only.
"""

from mri_tumor.gate.appearance import describe, describe_all
from mri_tumor.gate.checks import Limits
from mri_tumor.gate.fitting import fit_gate
from mri_tumor.gate.gate import Gate

__all__ = ["Gate", "Limits", "describe", "describe_all", "fit_gate"]
