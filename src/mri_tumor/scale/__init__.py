"""Score archives: any number of images, on one machine or many, each in exactly one part."""

from mri_tumor.scale.scoring import ScoringReport, score_dataset

__all__ = ["ScoringReport", "score_dataset"]
