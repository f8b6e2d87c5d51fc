"""How bright each tissue is in each kind of MRI sequence.

The numbers are relative signals on a scale where 1 is about as bright as fat on T1. They
follow what textbooks say of the order of the tissues (fluid dark on T1 and FLAIR and bright on
T2, white matter brighter than grey on T1 and darker on T2), not any measurement.
"""

from typing import Final

import numpy as np

SEQUENCES: Final = ("T1", "T1c", "T2", "FLAIR")

_COLUMNS: Final = ("T1", "T1c", "T2", "FLAIR")
_SIGNAL: Final[dict[str, tuple[float, float, float, float]]] = {
    "air": (0.00, 0.00, 0.00, 0.00),
    "bone": (0.04, 0.05, 0.05, 0.05),
    "marrow": (0.55, 0.48, 0.38, 0.40),
    "fat": (1.00, 0.92, 0.85, 0.88),
    "muscle": (0.32, 0.34, 0.20, 0.30),
    "mucosa": (0.42, 0.68, 0.66, 0.62),
    "csf": (0.09, 0.09, 0.80, 0.06),
    "vitreous": (0.12, 0.12, 0.85, 0.12),
    "lens": (0.40, 0.36, 0.20, 0.36),
    "grey": (0.36, 0.30, 0.42, 0.46),
    "deep": (0.41, 0.33, 0.35, 0.43),
    "white": (0.55, 0.40, 0.28, 0.36),
    "vessel": (0.08, 0.72, 0.06, 0.08),
    "dura": (0.30, 0.62, 0.18, 0.34),
    "choroid": (0.34, 0.58, 0.62, 0.42),
    "gland": (0.48, 0.52, 0.42, 0.46),
    "cap": (0.42, 0.34, 0.60, 0.64),
    "edema": (0.25, 0.20, 0.80, 0.92),
    "solid": (0.16, 0.20, 0.92, 0.90),
    "rim": (0.80, 1.00, 0.90, 0.95),
    "necrosis": (0.11, 0.09, 0.60, 0.20),
    "meningioma": (0.72, 0.88, 0.80, 0.82),
    "adenoma": (0.74, 0.86, 0.84, 0.82),
}


def draw_tissues(sequence: str, rng: np.random.Generator) -> dict[str, float]:
    """Return the signal of every tissue in one scan, a few percent off the table."""
    column = _COLUMNS.index(sequence)
    tissues = {
        name: values[column] * float(rng.uniform(0.93, 1.07)) for name, values in _SIGNAL.items()
    }
    # Scanners differ most in how well they part grey from white matter.
    middle = (tissues["grey"] + tissues["white"]) / 2
    spread = float(rng.uniform(0.75, 1.15))
    for name in ("grey", "white", "deep"):
        tissues[name] = middle + spread * (tissues[name] - middle)
    return tissues
