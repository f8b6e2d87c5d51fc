"""McNemar's test of two models on the same images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mri_tumor.errors import ParameterError


@dataclass(frozen=True)
class McNemar:
    """Images on which only one of two models is right.

    Parameters
    ----------
    only_first, only_second : int
        Images that only the first, or only the second, got right.
    p_exact : float
        Two-sided exact binomial p-value.
    p_mid : float
        Twice the one-sided mid-p, which is less conservative.

    Examples
    --------
    >>> result = mcnemar([True, True, False], [True, False, False])
    >>> result.only_first, result.only_second
    (1, 0)
    """

    only_first: int
    only_second: int
    p_exact: float
    p_mid: float


def mcnemar(first_right: ArrayLike, second_right: ArrayLike) -> McNemar:
    """Test whether two models are right equally often on the same images.

    Takes images as independent: with several images from each patient the p-values are too
    small, and the interval of `compare_predictions` is the thing to read.

    Parameters
    ----------
    first_right, second_right : array_like of bool, shape (n_images,)
        Whether each model got each image right.

    Returns
    -------
    McNemar
        Counts and p-values in [0, 1]; 1 where the models never differ.

    Raises
    ------
    ParameterError
        If the two are not booleans of the same shape.

    References
    ----------
    .. [1] Fagerland, Lydersen and Laake, "The McNemar test for binary matched-pairs data:
       mid-p and asymptotic are better than exact conditional", BMC Medical Research
       Methodology 13, 2013. doi:10.1186/1471-2288-13-91

    Examples
    --------
    >>> result = mcnemar([True] * 5 + [False], [False] * 5 + [True])
    >>> result.only_first, result.only_second, round(result.p_exact, 5), round(result.p_mid, 5)
    (5, 1, 0.21875, 0.125)
    """
    from scipy.stats import binom

    one, two = np.asarray(first_right), np.asarray(second_right)
    if one.dtype != np.bool_ or two.dtype != np.bool_ or one.ndim != 1 or one.shape != two.shape:
        msg = (
            "first_right and second_right must be booleans, one for each image; received "
            f"shapes {one.shape} and {two.shape}, dtypes {one.dtype} and {two.dtype}"
        )
        raise ParameterError(msg)
    only_first, only_second = int((one & ~two).sum()), int((two & ~one).sum())
    n, fewer = only_first + only_second, min(only_first, only_second)
    below, at = float(binom.cdf(fewer - 1, n, 0.5)), float(binom.pmf(fewer, n, 0.5))
    return McNemar(
        only_first,
        only_second,
        p_exact=min(1.0, 2 * (below + at)),
        p_mid=min(1.0, 2 * below + at) if n else 1.0,
    )
