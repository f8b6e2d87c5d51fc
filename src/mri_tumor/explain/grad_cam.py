"""The former place of :mod:`mri_tumor.explain.methods.grad_cam`."""

from mri_tumor.explain.methods.grad_cam import grad_cam

__all__ = ["grad_cam"]
