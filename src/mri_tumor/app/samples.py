"""Synthetic samples, so that the app can be tried with no file at hand."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import numpy as np

from mri_tumor.images.scans import Scan
from mri_tumor.phantoms import PLANES, SEQUENCES
from mri_tumor.phantoms.slices import draw_slice

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Numbers of phantoms of seed 0, chosen because their looks differ.
_DRAWN = ((13, "glioma"), (5, "meningioma"), (1, "pituitary"), (16, "notumor"))
_NAMES = {"notumor": "no tumour", "pituitary": "pituitary tumour"}
_SIZE = 256


def sample_scans() -> list[Scan]:
    """Return drawn slices, one of each class, and a test picture that is no scan.

    Returns
    -------
    list of Scan
        No pixel of them comes from a person.
    """
    drawn = [
        Scan(f"drawn: {_NAMES.get(kind, kind)}", read=partial(_draw, number, kind))
        for number, kind in _DRAWN
    ]
    return [*drawn, Scan("drawn: no scan at all", read=_checks)]


@lru_cache(maxsize=len(_DRAWN))
def _draw(number: int, kind: str) -> NDArray[np.uint8]:
    options = {"size": _SIZE, "planes": PLANES, "sequences": SEQUENCES, "skull": None}
    return draw_slice(0, number, kind, **options).image  # type: ignore[arg-type]


def _checks() -> NDArray[np.uint8]:
    rows, columns = np.indices((_SIZE, _SIZE)) // 32
    return np.where((rows + columns) % 2, 210, 40).astype(np.uint8)
