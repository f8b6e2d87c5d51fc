"""Synthetic slices that look like brain MRI, with and without a tumor, from a seed.

No pixel comes from a person. Phantoms serve demonstrations, tests and checks of heatmaps: what
a model scores on them says nothing about real scans. Research software, not a medical device.
"""

from mri_tumor.phantoms.dataset import Phantoms, make_phantoms
from mri_tumor.phantoms.sequences import SEQUENCES
from mri_tumor.phantoms.slices import PLANES

__all__ = ["PLANES", "SEQUENCES", "Phantoms", "make_phantoms"]
