"""Images sorted by score, counted for the data and for all resamples of them."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.inputs import as_floats
from mri_tumor.evaluation.intervals import group_weights, resamples_at_once
from mri_tumor.groups import number_groups

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Images from the highest score down, ready to be counted many times.

    Parameters
    ----------
    scores : ndarray of float, shape (n_images,)
        Scores in falling order.
    positive : ndarray of bool, shape (n_images,)
        Their sides.
    groups : ndarray of int, shape (n_images,)
        Their groups.
    ends : ndarray of int
        Index of the last image of each distinct score.
    """

    scores: Floats
    positive: Bools
    groups: NDArray[np.intp]
    ends: NDArray[np.intp]

    @classmethod
    def make(
        cls,
        positive: ArrayLike,
        scores: ArrayLike,
        *,
        refused: ArrayLike | None = None,
        groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    ) -> "Ranking":
        """Check and sort images; refused ones go to the wrong end."""
        side = np.asarray(positive)
        values = as_floats("scores", scores)
        if side.dtype != np.bool_ or side.ndim != 1 or side.shape != values.shape:
            msg = (
                "positive must be booleans, one for each score; received shape "
                f"{side.shape} of {side.dtype} and scores of shape {values.shape}"
            )
            raise ParameterError(msg)
        if refused is not None:
            missing = np.asarray(refused, dtype=bool)
            if missing.shape != side.shape:
                msg = f"refused must have shape {side.shape}; received {missing.shape}"
                raise ParameterError(msg)
            values[missing] = np.where(side[missing], -np.inf, np.inf)
        if np.isnan(values).any():
            msg = "scores has NaN values; mark images without an answer in refused="
            raise ParameterError(msg)
        if side.all() or not side.any():
            msg = f"a curve needs both sides; all {side.size} images are on one"
            raise DataError(msg)
        order = np.argsort(-values, kind="stable")
        ranked = values[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        return cls(ranked, side[order], number_groups(groups, side.size)[order], ends)

    def rates(self, weights: Floats) -> tuple[Floats, Floats]:
        """Count what is called from each score up, in numbers of images.

        Parameters
        ----------
        weights : ndarray of float, shape (n_rows, n_groups)
            How often each group counts.

        Returns
        -------
        tuple of ndarray of float, shape (n_rows, n_points)
            True and false positives, starting with none called.
        """
        each = weights.take(self.groups, axis=1)
        hits = np.cumsum(each * self.positive, axis=1)[:, self.ends]
        alarms = np.cumsum(each, axis=1, out=each)[:, self.ends] - hits
        nothing = np.zeros((len(weights), 1))
        return np.hstack([nothing, hits]), np.hstack([nothing, alarms])

    def resampled(self, n_resamples: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
        """Yield true and false positives of one resample after the other."""
        chunk = resamples_at_once(len(self.scores))
        n_groups = int(self.groups.max()) + 1
        for weights in group_weights(n_groups, n_resamples=n_resamples, seed=seed, chunk=chunk):
            yield from zip(*self.rates(weights), strict=True)

    def counted(self) -> tuple[Floats, Floats]:
        """Return true and false positives of the images themselves."""
        hits, alarms = self.rates(np.ones((1, int(self.groups.max()) + 1)))
        return hits[0], alarms[0]

    def groups_of(self, *, positive: bool) -> int:
        """Count the groups that have an image on a side."""
        return len(np.unique(self.groups[self.positive == positive]))
