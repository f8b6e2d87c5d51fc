"""What decides which classes go into a prediction set, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mri_tumor.errors import DataError, ParameterError
from mri_tumor.evaluation.inputs import check_classes

METHODS = ("lac", "aps")


@dataclass(frozen=True)
class ConformalRule:
    """What decides which classes go into a prediction set.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes.
    negative_class : str
        The class without a tumor.
    method : {"lac", "aps"}
        The score.
    coverage : float
        Share of sets that hold the true class, at least.
    limits : tuple of float, one for each class
        Largest score that is let in; infinite where there were too few images to exclude
        anything at this coverage.
    by_class : bool
        True if each class has its own limit.
    n_calibration : int
        Images that the limits come from.

    Examples
    --------
    >>> from mri_tumor import prediction_sets
    >>> rule = ConformalRule(
    ...     classes=("notumor", "tumor"), negative_class="notumor", method="lac", coverage=0.9,
    ...     limits=(0.7, 0.7), by_class=False, n_calibration=50,
    ... )
    >>> prediction_sets([[0.95, 0.05], [0.6, 0.4]], rule).tolist()
    [[True, False], [True, True]]
    """

    classes: tuple[str, ...]
    negative_class: str
    method: str
    coverage: float
    limits: tuple[float, ...]
    by_class: bool
    n_calibration: int

    def to_dict(self) -> dict[str, Any]:
        """Turn the rule into what JSON can hold; an infinite limit is None."""
        return {
            "classes": list(self.classes),
            "negative_class": self.negative_class,
            "method": self.method,
            "coverage": self.coverage,
            "limits": [limit if np.isfinite(limit) else None for limit in self.limits],
            "by_class": self.by_class,
            "n_calibration": self.n_calibration,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ConformalRule":
        """Read what `to_dict` wrote.

        Parameters
        ----------
        plain : mapping
            As from `to_dict`.

        Returns
        -------
        ConformalRule
            The same rule.

        Raises
        ------
        DataError
            If something is missing or is not what it should be.
        """
        try:
            limits = tuple(np.inf if x is None else float(x) for x in plain["limits"])
            rule = cls(
                classes=check_classes(plain["classes"], plain["negative_class"]),
                negative_class=plain["negative_class"],
                method=check_method(plain["method"]),
                coverage=float(plain["coverage"]),
                limits=limits,
                by_class=bool(plain["by_class"]),
                n_calibration=int(plain["n_calibration"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            msg = f"this is not a conformal rule that to_dict() wrote: {error!r}"
            raise DataError(msg) from error
        if len(limits) != len(rule.classes):
            msg = f"a conformal rule needs a limit for each of {rule.classes}; received {limits}"
            raise DataError(msg)
        return rule


def check_method(method: str) -> str:
    """Return the name of a score, or say which there are."""
    if method not in METHODS:
        msg = f"method must be one of {METHODS}; received {method!r}"
        raise ParameterError(msg)
    return method
