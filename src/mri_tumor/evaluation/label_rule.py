"""The rule that turns probabilities into one class."""

import numpy as np
from numpy.typing import NDArray


def predict_indices(
    probabilities: NDArray[np.float64], *, negative: int, threshold: float
) -> NDArray[np.intp]:
    """Apply the label rule: negative below the threshold, else the likeliest tumor.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_images, n_classes)
        Probabilities in [0, 1].
    negative : int
        Column of the class without a tumor.
    threshold : float
        Smallest P(tumor) that is called a tumor, in [0, 1].

    Returns
    -------
    ndarray of int, shape (n_images,)
        Column of the class given to each image.
    """
    tumors = probabilities.copy()
    tumors[:, negative] = -np.inf
    p_tumor = 1 - probabilities[:, negative]
    return np.where(p_tumor < threshold, negative, tumors.argmax(axis=1))
