"""Backbones that a classifier can be built on: ours, and those that plugins register."""

from mri_tumor.backbones.registry import get_backbone, list_backbones, register_backbone
from mri_tumor.backbones.spec import BackboneSpec

__all__ = ["BackboneSpec", "get_backbone", "list_backbones", "register_backbone"]
