"""Fit how outputs become answers, on images that nothing else used."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mri_tumor.answers import calibrate_rule
from mri_tumor.labelled import groups_of, kept, labelled
from mri_tumor.training.targets import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from numpy.typing import ArrayLike

    from mri_tumor.answers import Answering, DecisionRule


class Calibrates:
    """Calibration of whatever answers by a rule."""

    rule_: DecisionRule
    _answering: Callable[..., Answering]

    def calibrate(
        self,
        X: Any,
        y: Sequence[str] | None = None,
        *,
        groups: ArrayLike | None = None,
        sensitivity: float | None = None,
        specificity: float | None = None,
        coverage: float = 0.95,
    ) -> Self:
        """Fit temperature, threshold and prediction sets on images that nothing else used.

        Parameters
        ----------
        X : paths, array or data set
            Images that neither trained the model nor chose its epoch.
        y : sequence of str, optional
            Their labels; a data set brings its own.
        groups : array_like, shape (n_images,), optional
            Patient or near-duplicate group of each image.
        sensitivity, specificity : float, optional
            The figure that the threshold is to keep, in [0, 1], at the best of the other. With
            neither it has the best mean of both.
        coverage : float, default=0.95
            Share of prediction sets that are to hold the true class. An image whose set holds
            both a tumour and none is called uncertain.

        Returns
        -------
        self
            Itself; ``rule_`` is new.

        Raises
        ------
        DataError
            If labels are missing or unknown, or there is nothing on one side.
        ImageError
            If an image cannot be read.
        NotFittedError
            If there is no model yet.
        """
        answering = self._answering()
        X = kept(X)
        images, labels = labelled(X, y)
        plain = replace(self.rule_, temperature=1.0)
        encode(labels, plain.classes, plain.negative_class)
        self.rule_ = calibrate_rule(
            plain,
            labels,
            replace(answering, rule=plain).probabilities(images),
            groups=groups_of(X, groups, len(images)),
            sensitivity=sensitivity,
            specificity=specificity,
            coverage=coverage,
        )
        self._calibrated_on(X)
        return self

    def _calibrated_on(self, X: Any) -> None:
        """Note what was used."""
