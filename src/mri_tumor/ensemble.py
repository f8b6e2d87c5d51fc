"""Several models, or several views of each image, answering as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.answers import Answering, PredictsFromImages
from mri_tumor.answers.engine import gate_features
from mri_tumor.calibrating import Calibrates
from mri_tumor.data.overlap import SeenImages
from mri_tumor.errors import ParameterError
from mri_tumor.labelled import fingerprints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mri_tumor.answers.engine import Refuses
    from mri_tumor.data.overlap import Overlap

View = Callable[["NDArray[np.uint8]"], "NDArray[np.uint8]"]

# A shift of less than the stride of the last feature map moves what each of its cells sees.
_SHIFT = 12

VIEWS: dict[str, View] = {
    "plain": lambda values: values,
    "mirrored": lambda values: values[:, :, ::-1],
    "up": lambda values: _shifted(values, -_SHIFT, 0),
    "down": lambda values: _shifted(values, _SHIFT, 0),
    "left": lambda values: _shifted(values, 0, -_SHIFT),
    "right": lambda values: _shifted(values, 0, _SHIFT),
}
"""Ways to look at a prepared image again, by name."""


class Ensemble(PredictsFromImages, Calibrates):
    """Average the calibrated probabilities of several models and several views.

    One model with more than one view is test-time augmentation. What it costs is plain: as many
    passes as models times views.

    Parameters
    ----------
    members : sequence of TumorClassifier or other predictors
        Models with the same classes and the same preprocessing.
    views : sequence of str, default=("plain",)
        Names in `VIEWS`; ``("plain", "mirrored")`` is the usual pair.

    Attributes
    ----------
    classes_ : ndarray of str
        The classes of all members.
    rule_ : DecisionRule
        How averaged probabilities become answers. The threshold is the mean of the members';
        prediction sets are those of a single member, and for several there are none before
        `calibrate`.

    Raises
    ------
    ParameterError
        If there is no member or no view, a view is unknown, or members do not fit together.

    Notes
    -----
    What the gate of any member refuses is refused; members without a gate refuse nothing.

    Examples
    --------
    >>> from mri_tumor import make_phantoms, runtime
    >>> both = Ensemble([runtime.load("brain-mri")], views=("plain", "mirrored"))
    >>> both.predict_proba(make_phantoms(2, size=96).images).shape
    (2, 4)
    """

    def __init__(
        self, members: Sequence[PredictsFromImages], *, views: Sequence[str] = ("plain",)
    ) -> None:
        parts = [member._answering() for member in members]
        if not parts or not views:
            raise ParameterError("Ensemble: give at least one member and at least one view.")
        unknown = sorted(set(views) - set(VIEWS))
        if unknown:
            message = f"views: there is none named {unknown[0]!r}. Known: {', '.join(VIEWS)}."
            raise ParameterError(message)
        first = parts[0]
        for part in parts[1:]:
            same = (
                part.rule.classes == first.rule.classes
                and part.rule.negative_class == first.rule.negative_class
                and part.preprocessing == first.preprocessing
            )
            if not same:
                message = (
                    "Ensemble: members must have the same classes and preprocessing. Received: "
                    f"{part.rule.classes}, {part.preprocessing} beside {first.rule.classes}, "
                    f"{first.preprocessing}"
                )
                raise ParameterError(message)
        self._parts, self.views = parts, tuple(views)
        self.data_: dict[str, Any] = {}
        for member in members:
            about = getattr(member, "metadata_", {}).get("data")  # of a runtime's predictor
            self._know(SeenImages.from_dict(getattr(member, "data_", about) or {}))
        self.classes_ = np.array(first.rule.classes)
        threshold = float(np.mean([part.rule.threshold for part in parts]))
        # Members' temperatures are applied before the mean, so none is left to apply after it.
        self.rule_ = replace(
            first.rule,
            temperature=1.0,
            threshold=threshold,
            conformal=first.rule.conformal if len(parts) == 1 else None,
            operating_point=first.rule.operating_point if len(parts) == 1 else None,
        )

    def overlap(self, X: Any) -> Overlap:
        """Count the images that its members were made with, near-copies included.

        Parameters
        ----------
        X : paths, array or data set
            Images; those that cannot be read are left out.

        Returns
        -------
        Overlap
            True where there are any. Members that keep no hashes of their images add nothing.
        """
        return SeenImages.from_dict(self.data_).overlap(fingerprints(X))

    def _calibrated_on(self, X: Any) -> None:
        self._know(SeenImages.of([fingerprints(X)]))

    def _know(self, seen: SeenImages) -> None:
        self.data_ = seen.joined(SeenImages.from_dict(self.data_)).to_dict()

    def _answering(self, threshold: float | None = None) -> Answering:
        rule = self.rule_ if threshold is None else replace(self.rule_, threshold=threshold)
        gates = [part.gate for part in self._parts if part.gate is not None]
        gate = _Any(gates) if gates else None
        return replace(self._parts[0], network=self._network, rule=rule, gate=gate)

    def _network(self, values: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
        """Return the mean of the calibrated rows, the first map, and what the gates look at."""
        rows: list[NDArray[np.float64]] = []
        maps: NDArray[Any] | None = None
        features: list[NDArray[Any]] = []
        seen = "plain" if "plain" in self.views else self.views[0]
        for part in self._parts:
            looked_at: list[NDArray[Any]] = []
            for view in self.views:
                outputs, *others = part.network(np.ascontiguousarray(VIEWS[view](values)))
                rows.append(part.rule.probabilities(outputs))
                looked_at = others if view == seen else looked_at
            maps = looked_at[0] if maps is None else maps
            if part.gate is not None and part.gate.n_features:
                features.append(gate_features(*looked_at))
        assert maps is not None  # noqa: S101
        more = [np.concatenate(features, axis=1)[:, None]] if features else []
        return np.mean(rows, axis=0), maps, *more


class _Any:
    """Refuses what any of several gates refuses; their features stand side by side."""

    def __init__(self, gates: Sequence[Refuses]) -> None:
        self.gates = gates

    @property
    def n_features(self) -> int:
        return sum(gate.n_features for gate in self.gates)

    def describe(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.gates[0].describe(image)

    def check_described(
        self, descriptions: NDArray[np.float32], features: NDArray[np.float32]
    ) -> list[str]:
        reasons = [""] * len(descriptions)
        start = 0
        for gate in self.gates:
            own = features[:, start : start + gate.n_features]
            start += gate.n_features
            found = gate.check_described(descriptions, own)
            reasons = [one or other for one, other in zip(reasons, found, strict=True)]
        return reasons


def _shifted(values: NDArray[np.uint8], down: int, right: int) -> NDArray[np.uint8]:
    """Shift images by some pixels, with black coming in."""
    side = values.shape[1]
    moved = np.zeros_like(values)
    rows, columns = _overlap(side, down), _overlap(side, right)
    moved[:, rows[1], columns[1]] = values[:, rows[0], columns[0]]
    return moved


def _overlap(side: int, by: int) -> tuple[slice, slice]:
    """Return where what stays in sight comes from, and where it goes."""
    if by >= 0:
        return slice(0, side - by), slice(by, side)
    return slice(-by, side), slice(0, side + by)
