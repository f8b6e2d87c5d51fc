"""From a network's probabilities to an answer: temperature, threshold, doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.assessment import Assessment, decide, make_assessment
from mri_tumor.errors import BundleError, DataError, MRITumorError, ParameterError
from mri_tumor.evaluation.conformal import is_uncertain, prediction_sets
from mri_tumor.evaluation.conformal_rule import ConformalRule
from mri_tumor.evaluation.operating import OperatingPoint
from mri_tumor.evaluation.temperature import apply_temperature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """What turns the outputs of a network into answers; it travels with the weights.

    Parameters
    ----------
    classes : tuple of str
        Class of each column.
    negative_class : str
        The class without a tumour.
    threshold : float, default=0.5
        Smallest probability of a tumour that counts as one, in [0, 1].
    temperature : float, default=1.0
        What the logits are divided by before all else.
    conformal : ConformalRule, optional
        Tells which images leave open whether there is a tumour; none without it.
    operating_point : OperatingPoint, optional
        What the threshold gave on the images it was chosen on.

    Examples
    --------
    >>> import numpy as np
    >>> rule = DecisionRule(classes=("notumor", "tumor"), negative_class="notumor", threshold=0.3)
    >>> print(rule.assess("scan.png", np.array([0.6, 0.4])))
    scan.png: tumor, P(tumour) = 0.400. ...
    """

    classes: tuple[str, ...]
    negative_class: str
    threshold: float = 0.5
    temperature: float = 1.0
    conformal: ConformalRule | None = None
    operating_point: OperatingPoint | None = None

    def __post_init__(self) -> None:
        if self.negative_class not in self.classes:
            message = f"negative_class: {self.negative_class!r} is not one of {self.classes}."
            raise ParameterError(message)
        if not 0 <= self.threshold <= 1:
            message = f"threshold: must be from 0 to 1. Received: {self.threshold!r}"
            raise ParameterError(message)
        if not 0 < self.temperature < np.inf:
            message = f"temperature: must be positive. Received: {self.temperature!r}"
            raise ParameterError(message)

    def probabilities(self, outputs: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Turn a network's outputs into calibrated probabilities.

        Parameters
        ----------
        outputs : ndarray of float, shape (n, 1) or (n, n_classes)
            One sigmoid unit, which is the probability of the second class, or a softmax.

        Returns
        -------
        ndarray of float64, shape (n, n_classes)
            Rows sum to 1.

        Raises
        ------
        BundleError
            If an output is no number, as of a damaged network.
        """
        rows = np.asarray(outputs, dtype=np.float64)
        if rows.shape[1] == 1:
            rows = np.concatenate([1 - rows, rows], axis=1)
        total = rows.sum(axis=1, keepdims=True)
        if not (np.isfinite(total) & (total > 0)).all():
            message = (
                "The network gives outputs that are no probabilities (NaN, infinite or all zero): "
                "its weights are damaged. Train it again, or take an earlier model."
            )
            raise BundleError(message)
        rows = rows / total
        return apply_temperature(rows, self.temperature)

    def decide(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the index of the class that each row of probabilities stands for."""
        return decide(
            rows,
            classes=self.classes,
            negative_class=self.negative_class,
            threshold=self.threshold,
        )

    def uncertain(self, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which rows of probabilities leave open whether there is a tumour."""
        if self.conformal is None:
            return np.zeros(len(rows), dtype=bool)
        sets = prediction_sets(rows, self.conformal)
        return is_uncertain(sets, classes=self.classes, negative_class=self.negative_class)

    def assess(self, file: str, row: NDArray[np.float64]) -> Assessment:
        """Make the assessment of an image from its probabilities, shape (n_classes,)."""
        doubt = ""
        if self.uncertain(row[None])[0]:
            assert self.conformal is not None  # noqa: S101
            doubt = (
                f"at {self.conformal.coverage:.0%} coverage neither a tumour nor its absence can "
                "be excluded"
            )
        return make_assessment(
            file,
            row,
            classes=self.classes,
            negative_class=self.negative_class,
            threshold=self.threshold,
            doubt=doubt,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as what JSON can hold."""
        point = self.operating_point
        return {
            "classes": list(self.classes),
            "negative_class": self.negative_class,
            "threshold": self.threshold,
            "temperature": self.temperature,
            "conformal": None if self.conformal is None else self.conformal.to_dict(),
            "operating_point": None if point is None else point.to_dict(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> DecisionRule:
        """Read what `to_dict` wrote.

        Raises
        ------
        DataError
            If something is missing or is not what it should be.
        """
        try:
            conformal, point = plain.get("conformal"), plain.get("operating_point")
            return cls(
                classes=tuple(str(name) for name in plain["classes"]),
                negative_class=str(plain["negative_class"]),
                threshold=float(plain["threshold"]),
                temperature=float(plain.get("temperature", 1.0)),
                conformal=None if conformal is None else ConformalRule.from_dict(conformal),
                operating_point=None if point is None else OperatingPoint.from_dict(point),
            )
        except (KeyError, TypeError, ValueError, AttributeError, MRITumorError) as error:
            message = f"this is not a decision rule that to_dict() wrote: {str(error).rstrip('.')}"
            raise DataError(message) from error
