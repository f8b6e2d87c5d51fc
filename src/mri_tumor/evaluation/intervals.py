"""Confidence intervals that respect groups and behave at the edges.

Images of one patient, or near-copies of one image, are not independent, so whole groups are
drawn. The bootstrap alone fails where few images are wrong: with none it gives an interval of
no width. There an exact binomial interval on the effective number of groups takes its place.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mri_tumor.errors import ParameterError
from mri_tumor.evaluation.inputs import check_share

Floats = NDArray[np.float64]

# Below about ten effective errors the percentile bootstrap covers too rarely; see the
# simulation in tests/test_intervals.py.
FEW_ERRORS = 10.0
_ROUNDING = 1e-20  # variance of resamples that are all alike
_CELLS_AT_ONCE = 4_000_000  # resamples times images held in memory, 32 MB a copy


def group_weights(
    n_groups: int, *, n_resamples: int, seed: int, chunk: int | None = None
) -> Iterator[Floats]:
    """Draw groups with replacement and yield how often each was drawn.

    Parameters
    ----------
    n_groups : int
        Number of groups, at least 1.
    n_resamples : int
        Number of resamples in all.
    seed : int
        Seed of the generator: the same seed draws the same groups, whatever the chunk.
    chunk : int, optional
        Resamples in one array; by default as many as fit in some 32 MB.

    Yields
    ------
    ndarray of float, shape (n, n_groups)
        Rows sum to `n_groups`.

    Raises
    ------
    ParameterError
        If the number of resamples, what users call `n_bootstrap`, is no whole number of 0 or more.
    """
    whole: bool = isinstance(n_resamples, int | np.integer)  # 1e3 is none
    if not whole or n_resamples < 0:
        msg = f"n_bootstrap must be a whole number, 0 or more; received {n_resamples!r}"
        raise ParameterError(msg)
    rng = np.random.default_rng(seed)
    size = chunk or max(1, _CELLS_AT_ONCE // n_groups)
    for first in range(0, n_resamples, size):
        rows = min(size, n_resamples - first)
        drawn = rng.integers(0, n_groups, (rows, n_groups))
        drawn += np.arange(rows)[:, None] * n_groups
        counted = np.bincount(drawn.ravel(), minlength=rows * n_groups)
        yield counted.reshape(rows, n_groups).astype(np.float64)


def resamples_at_once(n_images: int) -> int:
    """Return how many resamples of so many images to hold in memory at a time."""
    return max(1, _CELLS_AT_ONCE // max(1, n_images))


def clopper_pearson(
    successes: float, trials: float, *, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute the exact binomial interval; the numbers need not be whole.

    Parameters
    ----------
    successes : float
        In [0, trials].
    trials : float
        Number of trials, above 0; may be an effective number.
    confidence : float, default=0.95
        Share of intervals that hold the true proportion, at least.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].

    Raises
    ------
    ParameterError
        If a number is out of range.

    References
    ----------
    .. [1] Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the
       case of the binomial", Biometrika 26, 1934. doi:10.1093/biomet/26.4.404

    Examples
    --------
    >>> [round(end, 4) for end in clopper_pearson(10, 10)]
    [0.6915, 1.0]
    """
    from scipy.special import betaincinv

    _check_counts(successes, trials)
    tail = (1 - check_share("confidence", confidence, closed=False)) / 2
    low = betaincinv(successes, trials - successes + 1, tail) if successes > 0 else 0.0
    high = betaincinv(successes + 1, trials - successes, 1 - tail) if successes < trials else 1.0
    return float(low), float(high)


def wilson(successes: float, trials: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's score interval; the numbers need not be whole.

    Parameters
    ----------
    successes : float
        In [0, trials].
    trials : float
        Number of trials, above 0; may be an effective number.
    confidence : float, default=0.95
        Share of intervals that hold the true proportion, on average.

    Returns
    -------
    tuple of float
        Lower and upper end, in [0, 1].

    Raises
    ------
    ParameterError
        If a number is out of range.

    References
    ----------
    .. [1] Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 1927. doi:10.2307/2276774

    Examples
    --------
    >>> [round(end, 4) for end in wilson(9, 10)]
    [0.5958, 0.9821]
    """
    from scipy.special import ndtri

    _check_counts(successes, trials)
    z = float(ndtri(0.5 + check_share("confidence", confidence, closed=False) / 2))
    share = successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + (z / trials / 2) ** 2)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def figure_interval(
    value: float,
    resampled: Floats,
    *,
    n_independent: float,
    of_pairs: bool = False,
    confidence: float = 0.95,
) -> tuple[float, float] | None:
    """Turn a figure's resamples into an interval.

    The percentiles of the resamples, but where the effective number of errors or of successes
    is under ten (the figure is within some three standard errors of 1 or 0), the exact binomial
    interval on the effective number of groups: the number of independent trials that would have
    the variance of the resamples, and never more than there are groups to count [1]_. So a
    figure of 1 has a lower end below 1.

    An area under a curve varies less than a share of as many groups, until it meets a group that
    is missed outright, which the resamples know nothing of. There the number of trials is the
    geometric mean of the two numbers. In simulations of areas from 0.997 up, in 80 to 300 groups,
    intervals from the resamples' number alone held the truth in 85 to 100% of trials, depending
    on the case; these in 99% or more; those from the groups' number always, at up to six times
    the width.

    Parameters
    ----------
    value : float
        The figure itself, in [0, 1], or NaN.
    resampled : ndarray of float, shape (n_resamples,)
        The figure in each resample; NaN where it is not defined.
    n_independent : float
        Number of groups that the figure rests on.
    of_pairs : bool, default=False
        True for an area under a curve, which compares pairs of images.
    confidence : float, default=0.95
        Confidence, between 0 and 1.

    Returns
    -------
    tuple of float or None
        Lower and upper end, in [0, 1]; None for a figure that is not defined.

    References
    ----------
    .. [1] Korn and Graubard, "Confidence intervals for proportions with small expected number
       of positive counts estimated from survey data", Survey Methodology 24, 1998.
    """
    if np.isnan(value) or n_independent <= 0:
        return None
    defined = resampled[~np.isnan(resampled)]
    variance = float(defined.var()) if defined.size else 0.0
    effective = value * (1 - value) / variance if variance > _ROUNDING else 0.0
    if effective * min(value, 1 - value) < FEW_ERRORS:
        # At the edge itself, and with a single group, there is no variance to go by.
        trials = min(effective, n_independent) if effective else n_independent
        if of_pairs and effective > n_independent:
            trials = float(np.sqrt(effective * n_independent))
        trials = max(1.0, trials)
        value = min(1.0, value)  # a sum of many parts can be above it by rounding
        return clopper_pearson(value * trials, trials, confidence=confidence)
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return float(low), float(high)


def _check_counts(successes: float, trials: float) -> None:
    if not (trials > 0 and 0 <= successes <= trials):
        msg = (
            "successes must be between 0 and trials, and trials above 0; received "
            f"successes={successes!r}, trials={trials!r}"
        )
        raise ParameterError(msg)
