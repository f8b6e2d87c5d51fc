"""Images to calibrate and to check an export with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import DataError
from mri_tumor.images.collection import ImageCollection, as_collection, prepared_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.images.preprocessing import Preprocessing

PHANTOMS = "phantoms"
# Activations' ranges settle with about a hundred images.
_MOST_FOR_CALIBRATION = 128
_MOST_FOR_CHECK = 1000
_N_PHANTOMS = 96


def calibration_and_check(
    given: Any, settings: Preprocessing, *, quantised: bool, seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], str]:
    """Divide images into those that calibrate an export and those that check it.

    Parameters
    ----------
    given : paths, array, data set or None
        Images such as the model was trained on; phantoms for None.
    settings : Preprocessing
        How they are prepared.
    quantised : bool
        Whether the export needs calibrating; else all images check it.
    seed : int, default=0
        Seed of the order.

    Returns
    -------
    calibration, check : ndarray of uint8, shape (n, size, size, 3)
        Model inputs; the two share no image.
    what : str
        What they are: ``"given images"`` or ``"phantoms"``.

    Raises
    ------
    DataError
        If there are too few readable images.
    """
    images = _phantoms(settings) if given is None else as_collection(given, name="calibration")
    order = np.random.default_rng(seed).permutation(len(images))
    n_first = min(_MOST_FOR_CALIBRATION, len(images) // 2) if quantised else 0
    chosen = order[: n_first + _MOST_FOR_CHECK]
    parts = [
        _prepared(images.subset(part), settings) for part in (chosen[:n_first], chosen[n_first:])
    ]
    if len(parts[1]) == 0 or (quantised and len(parts[0]) == 0):
        message = (
            f"calibration: only {sum(map(len, parts))} of {len(images)} images could be read, "
            "which is too few. Give some hundred images such as the model was trained on."
        )
        raise DataError(message)
    return parts[0], parts[1], PHANTOMS if given is None else "given images"


def phantom_values(settings: Preprocessing, n: int) -> NDArray[np.uint8]:
    """Return phantoms as model input, shape (n, size, size, 3)."""
    return _prepared(_phantoms(settings, n), settings)


def _phantoms(settings: Preprocessing, n: int = _N_PHANTOMS) -> ImageCollection:
    from mri_tumor.phantoms import make_phantoms

    return as_collection(make_phantoms(n, size=max(32, min(settings.size, 1024))).images)


def _prepared(images: ImageCollection, settings: Preprocessing) -> NDArray[np.uint8]:
    """Return the images that can be read as model input."""
    if len(images) == 0:
        return np.zeros((0, settings.size, settings.size, 3), np.uint8)
    return np.concatenate([batch.values for batch in prepared_batches(images, settings)])
