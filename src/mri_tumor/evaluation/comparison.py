"""Compare two models on the same images."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.evaluation.inputs import check_scored, check_share
from mri_tumor.evaluation.intervals import (
    FEW_ERRORS,
    clopper_pearson,
    group_weights,
    resamples_at_once,
)
from mri_tumor.evaluation.paired import McNemar, mcnemar
from mri_tumor.evaluation.render import NOTICE, show_number
from mri_tumor.evaluation.scorer import Key, Scorer
from mri_tumor.evaluation.support import independent_groups
from mri_tumor.labels import NEGATIVE

Floats = NDArray[np.float64]
_LINE = "  {:<24}{:>7}{:>8}{:>12}  {:<18}  {}"


@dataclass(frozen=True)
class Difference:
    """One figure of two models.

    Parameters
    ----------
    first, second : float or None
        The figure of each, in [0, 1].
    difference : float or None
        Second minus first.
    interval : tuple of float or None
        Ends around the difference.

    Examples
    --------
    >>> from mri_tumor import compare_predictions
    >>> labels = ["notumor", "tumor", "tumor", "tumor"]
    >>> first = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
    >>> second = [[0.8, 0.2], [0.1, 0.9], [0.4, 0.6], [0.3, 0.7]]
    >>> names = ["notumor", "tumor"]
    >>> compared = compare_predictions(labels, first, second, classes=names, n_bootstrap=0)
    >>> compared.figures["accuracy"].difference
    0.25
    """

    first: float | None
    second: float | None
    difference: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images: second minus first.

    Parameters
    ----------
    figures : mapping of str to Difference
        accuracy, balanced_accuracy, f1 and auc of the classes (see `EvaluationReport` for what
        they mean with two classes and with more), and those of tumor or not with ``"tumor_"``
        before their names.
    right : McNemar
        On images given their class.
    right_side : McNemar
        On images found to be on the right side of tumor or not.
    coverage : tuple of float
        Share of the images that each model answered.
    n_images, n_groups : int
        Images and groups.
    confidence : float
        Confidence of the intervals.

    Examples
    --------
    >>> from mri_tumor import compare_predictions
    >>> labels = ["notumor", "tumor", "tumor", "tumor"]
    >>> first = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]]
    >>> second = [[0.8, 0.2], [0.1, 0.9], [0.4, 0.6], [0.3, 0.7]]
    >>> names = ["notumor", "tumor"]
    >>> compared = compare_predictions(labels, first, second, classes=names, n_bootstrap=0)
    >>> compared.n_images, compared.right.only_first, compared.right.only_second
    (4, 0, 1)
    >>> print(compared.tests()[0])
    McNemar, class: only first right 0, only second right 1, p = 1 (mid-p 0.5)
    """

    figures: Mapping[str, Difference] = field(repr=False)
    right: McNemar
    right_side: McNemar
    coverage: tuple[float, float]
    n_images: int
    n_groups: int
    confidence: float

    def __str__(self) -> str:
        header, rows = self.table()
        lines = [*self.headings(), "", *(_LINE.format(*row) for row in (header, *rows))]
        return "\n".join([*lines, *(f"  {line}" for line in self.tests())])

    def headings(self) -> list[str]:
        """Say what was compared and how, line by line."""
        return [
            f"Second model minus first on {self.n_images:,} images in {self.n_groups:,} groups",
            f"  {NOTICE}",
            "  images without an answer count as wrong in every figure",
            f"  {100 * self.confidence:.4g}% intervals by bootstrap over groups, pair by pair",
        ]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Return the table that is printed: its header, and its rows as text."""
        covered = "{}, {}".format(*map(show_number, self.coverage))
        rows: list[tuple[str, ...]] = []
        for name, row in self.figures.items():
            shown = "" if row.difference is None else f"{row.difference:+.3f}"
            ends = "" if row.interval is None else "{:+.3f} to {:+.3f}".format(*row.interval)
            both = show_number(row.first), show_number(row.second)
            rows.append((name.replace("_", " "), *both, shown, ends, covered))
        return ("figure", "first", "second", "difference", "interval", "coverage"), rows

    def tests(self) -> list[str]:
        """Say what McNemar's tests found, line by line."""
        return [
            f"McNemar, {what}: only first right {test.only_first}, only second right "
            f"{test.only_second}, p = {test.p_exact:.3g} (mid-p {test.p_mid:.3g})"
            for what, test in (("class", self.right), ("tumor or not", self.right_side))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Turn the comparison into what JSON can hold."""
        plain: dict[str, Any] = asdict(self)
        plain["coverage"] = list(self.coverage)
        for row in plain["figures"].values():
            row["interval"] = None if row["interval"] is None else list(row["interval"])
        return plain


def compare_predictions(
    labels: Sequence[str],
    first: ArrayLike,
    second: ArrayLike,
    *,
    classes: Sequence[str],
    negative_class: str = NEGATIVE,
    thresholds: tuple[float, float] = (0.5, 0.5),
    groups: Sequence[Hashable] | NDArray[np.intp] | None = None,
    refused: tuple[ArrayLike | None, ArrayLike | None] = (None, None),
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare two models on the same images, pair by pair.

    Both models are resampled together, so what makes an image hard for both cancels out. Where
    the two differ in fewer than ten groups, the interval of a share (accuracy, sensitivity,
    specificity) comes from exact intervals of the shares that only one got right [1]_.

    Parameters
    ----------
    labels : sequence of str, length n_images
        True classes, or "tumor" for a tumor of unknown subtype.
    first, second : array_like of float, shape (n_images, n_classes)
        Probabilities of each model.
    classes : sequence of str, length n_classes
        Names of the classes.
    negative_class : str, default="notumor"
        The class without a tumor.
    thresholds : tuple of float, default=(0.5, 0.5)
        Threshold on P(tumor) of each model.
    groups : sequence of hashable, length n_images, optional
        Groups to resample; by default each image is one.
    refused : tuple of array_like of bool, optional
        Images without an answer of each model, wrong in every figure.
    n_bootstrap, confidence, seed
        As in `evaluate_predictions`.

    Returns
    -------
    Comparison
        Figures of both, differences with intervals, and McNemar's test.

    Raises
    ------
    DataError
        If there are no images, or a label is not among the classes.
    ParameterError
        If an argument has the wrong shape or values.

    References
    ----------
    .. [1] Zou and Donner, "Construction of confidence limits about effect measures: a general
       approach", Statistics in Medicine 27, 2008. doi:10.1002/sim.3095

    Examples
    --------
    >>> labels = ["tumor", "notumor"] * 20
    >>> good, bad = [[0.1, 0.9], [0.9, 0.1]] * 20, [[0.6, 0.4], [0.9, 0.1]] * 20
    >>> comparison = compare_predictions(labels, bad, good, classes=["notumor", "tumor"])
    >>> comparison.figures["tumor_sensitivity"].difference
    1.0
    """
    check_share("confidence", confidence, closed=False)
    scorers = []
    for probabilities, threshold, missing in zip(
        (first, second), thresholds, refused, strict=True
    ):
        images = check_scored(
            labels,
            probabilities,
            classes=classes,
            negative_class=negative_class,
            groups=groups,
            refused=missing,
        )
        scorers.append(Scorer.prepare(images, check_share("thresholds", threshold)))
    pair = _Pair(scorers[0], scorers[1], *_right(scorers, thresholds))
    return Comparison(
        figures=pair.differences(n_bootstrap, confidence=confidence, seed=seed),
        right=mcnemar(*pair.right[:, pair.typed]),
        right_side=mcnemar(*pair.right_side),
        coverage=(_coverage(scorers[0]), _coverage(scorers[1])),
        n_images=len(scorers[0].images),
        n_groups=scorers[0].n_groups,
        confidence=float(confidence),
    )


KEYS: dict[str, Key] = {
    name: (name,) for name in ("accuracy", "balanced_accuracy", "f1", "auc")
} | {
    f"tumor_{name}": ("tumor", name)
    for name in ("sensitivity", "specificity", "accuracy", "balanced_accuracy", "auc")
}


def _coverage(scorer: Scorer) -> float:
    return float(1 - scorer.images.refused.mean())


def _right(
    scorers: Sequence[Scorer], thresholds: tuple[float, float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which images each model got right: their class, and their side."""
    right, side = [], []
    for scorer, threshold in zip(scorers, thresholds, strict=True):
        images = scorer.images
        called = images.predicted(threshold)
        right.append(called == images.truth)
        side.append(((called != images.negative) == images.is_tumor) & ~images.refused)
    return np.array(right), np.array(side)


@dataclass(frozen=True, eq=False)
class _Pair:
    first: Scorer
    second: Scorer
    right: NDArray[np.bool_]
    right_side: NDArray[np.bool_]

    @property
    def typed(self) -> NDArray[np.bool_]:
        return self.first.images.typed

    def differences(self, n: int, *, confidence: float, seed: int) -> dict[str, Difference]:
        ones = self.first.once()
        values = [scorer.figures(ones) for scorer in (self.first, self.second)]
        chunk = resamples_at_once(len(self.typed) * len(self.first.images.classes))
        samples: dict[Key, list[Floats]] = {key: [] for key in KEYS.values()}
        weightings = group_weights(self.first.n_groups, n_resamples=n, seed=seed, chunk=chunk)
        for weights in weightings:
            one, two = self.first.figures(weights), self.second.figures(weights)
            for key, parts in samples.items():
                parts.append(two[key] - one[key])
        return {
            name: self._difference(
                key, [float(value[key][0]) for value in values], samples[key], confidence
            )
            for name, key in KEYS.items()
        }

    def _difference(
        self, key: Key, values: list[float], samples: list[Floats], confidence: float
    ) -> Difference:
        if np.isnan(values).any():
            return Difference(None, None, None, None)
        gap = values[1] - values[0]
        if not samples:
            return Difference(values[0], values[1], gap, None)
        kept = np.concatenate(samples)
        kept = kept[~np.isnan(kept)]
        ends = self._few(key, confidence)
        if ends is None and (not kept.size or kept.std() == 0):
            bound = (
                1
                - clopper_pearson(
                    *2 * (independent_groups(self.first, key),), confidence=confidence
                )[0]
            )
            ends = gap - bound, gap + bound
        if ends is None:
            tail = 100 * (1 - confidence) / 2
            low, high = np.percentile(kept, [tail, 100 - tail])
            ends = float(low), float(high)
        return Difference(values[0], values[1], gap, (max(-1.0, ends[0]), min(1.0, ends[1])))

    def _few(self, key: Key, confidence: float) -> tuple[float, float] | None:
        """Interval of a share where the models differ in few groups, else None."""
        images = self.first.images
        everything = np.ones(len(images), bool)
        shares = {
            ("accuracy",): (self.right, self.typed),
            ("tumor", "accuracy"): (self.right_side, everything),
            ("tumor", "sensitivity"): (self.right_side, images.is_tumor),
            ("tumor", "specificity"): (self.right_side, ~images.is_tumor),
        }
        if key not in shares:
            return None
        right, mask = shares[key]
        one, two = right[:, mask]
        groups = images.groups[mask]
        if len(np.unique(groups[one != two])) >= FEW_ERRORS:
            return None
        n_groups = len(np.unique(groups))
        gain, loss = float((two & ~one).mean()), float((one & ~two).mean())
        gain_ends = clopper_pearson(gain * n_groups, n_groups, confidence=confidence)
        loss_ends = clopper_pearson(loss * n_groups, n_groups, confidence=confidence)
        gap = gain - loss
        return (
            gap - float(np.hypot(gain - gain_ends[0], loss_ends[1] - loss)),
            gap + float(np.hypot(gain_ends[1] - gain, loss - loss_ends[0])),
        )
