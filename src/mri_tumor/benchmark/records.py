"""What is known of a cell once it has ended, well or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mri_tumor.evaluation import EvaluationReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

_AS_THEY_ARE = (
    "key", "backbone", "started_from", "seed", "problem", "training_seconds", "n_epochs",
    "parameters", "multiply_adds", "runtime_bytes", "export_problem", "versions",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class CellResult:
    """One training, measured.

    Parameters
    ----------
    key : str
        Name of its folder.
    backbone, started_from : str
        Name of the backbone; ``"imagenet"``, ``"from scratch"``, or other weights.
    seed : int
        Seed of the training.
    problem : str
        Why there is nothing more; empty if the cell is finished.
    report : EvaluationReport or None
        Figures of the test part, without its images.
    probabilities : ndarray of float, shape (n_test, n_classes), or None
        Answers for the test part.
    training_seconds : float or None
        From images to the trained model; None if it was stopped in between.
    n_epochs : int
        Epochs of all stages.
    parameters : int
        Weights of the whole model, head included.
    multiply_adds : int or None
        For one image, as `count_multiply_adds` has them; None where they cannot be counted.
    runtime_bytes : int or None
        Size of the LiteRT file; None if the model cannot be converted.
    export_problem : str
        Why not.
    versions : mapping of str to str
        Versions of the packages that trained it.
    """

    key: str
    backbone: str
    started_from: str
    seed: int
    problem: str = ""
    report: EvaluationReport | None = None
    probabilities: NDArray[np.float64] | None = field(default=None, repr=False)
    training_seconds: float | None = None
    n_epochs: int = 0
    parameters: int = 0
    multiply_adds: int | None = None
    runtime_bytes: int | None = None
    export_problem: str = ""
    versions: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def finished(self) -> bool:
        """Whether there are figures."""
        return self.report is not None

    def to_dict(self) -> dict[str, Any]:
        """Return all but the probabilities as what JSON can hold."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _AS_THEY_ARE}
        plain["versions"] = dict(self.versions)
        plain["report"] = None if self.report is None else self.report.to_dict()
        return plain

    @classmethod
    def from_dict(
        cls, plain: Mapping[str, Any], probabilities: NDArray[np.float64] | None
    ) -> CellResult:
        """Read what `to_dict` gave.

        Raises
        ------
        DataError, KeyError, TypeError
            If it is something else.
        """
        report = plain["report"]
        return cls(
            **{name: plain[name] for name in _AS_THEY_ARE},
            report=None if report is None else EvaluationReport.from_dict(report),
            probabilities=probabilities,
        )
