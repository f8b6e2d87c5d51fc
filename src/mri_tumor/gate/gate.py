"""What stands before a model and refuses pictures that are no brain MRI slice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import ParameterError
from mri_tumor.gate.appearance import VERSION, WIDTH, describe, describe_all, measures_of
from mri_tumor.gate.checks import Limits
from mri_tumor.gate.network import Network, check_features, inputs_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

_REASON = (
    "it does not look like a brain MRI slice to the model (score {:.2f}, refused above {:.2f})"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gate:
    """Refuses what is no brain MRI slice. Made by `fit_gate`, stored in a bundle.

    Parameters
    ----------
    limits : Limits
        Rules on the pixels.
    network : Network or None
        Judges the model's features and the picture's look; None leaves the rules alone.
    cut : float
        A picture with a higher score of the network is refused.
    max_refused : float
        Share of scans that the cut was chosen to refuse, in [0, 1).
    n_scans, n_others : int
        How many pictures it was fitted to.
    layer : str or None
        Layer of the backbone whose pooled output the features are, or several joined by ``+``;
        None for the feature map.

    Examples
    --------
    >>> import numpy as np
    >>> gate = Gate(limits=Limits())
    >>> black = np.zeros((64, 64), dtype=np.uint8)
    >>> gate.check([black], np.zeros((1, 8), dtype=np.float32))
    ['the picture is blank: its grey levels span only 0 of 255']
    """

    limits: Limits
    network: Network | None = None
    cut: float = 0.0
    max_refused: float = 0.0
    n_scans: int = 0
    n_others: int = 0
    layer: str | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.cut):
            message = f"Gate: cut must be a finite number. Received: {self.cut!r}"
            raise ParameterError(message)

    def check(
        self, images: Sequence[NDArray[np.uint8]], features: NDArray[np.floating[Any]]
    ) -> list[str]:
        """Say of each picture why it is refused.

        Parameters
        ----------
        images : sequence of ndarray of uint8, each of shape (h, w)
            Grey pictures as they were read, before any preparation.
        features : ndarray of float, shape (n, c)
            The model's pooled features of the same pictures.

        Returns
        -------
        list of str
            For each picture the reason in words; empty where it is accepted.

        Raises
        ------
        ParameterError
            If a picture is no two-dimensional uint8 array, or features and pictures do not
            match each other or the model that the gate was fitted to.
        """
        features = check_features("features", features)
        if len(features) != len(images):
            message = (
                f"Gate.check: {len(images)} pictures need as many rows of features. "
                f"Received: {len(features)}"
            )
            raise ParameterError(message)
        return self.check_described(describe_all(images), features)

    def describe(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the numbers of a picture that the gate looks at, shape (WIDTH,).

        Parameters
        ----------
        image : ndarray of uint8, shape (h, w)
            Grey picture as it was read, before any preparation.

        Returns
        -------
        ndarray of float32, shape (WIDTH,)
            A row for `check_described`.
        """
        return describe(image)

    @property
    def n_features(self) -> int:
        """Number of pooled features of the network that it looks at; 0 where it has its limits only."""
        return 0 if self.network is None else self.network.n_inputs - WIDTH

    def check_described(
        self, descriptions: NDArray[np.float32], features: NDArray[np.float32]
    ) -> list[str]:
        """Say the same of pictures that `describe_all` has already described.

        Parameters
        ----------
        descriptions : ndarray of float32, shape (n, WIDTH)
            Of the pictures.
        features : ndarray of float, shape (n, c)
            Pooled features of the same pictures.

        Returns
        -------
        list of str
            As `check`.

        Raises
        ------
        ParameterError
            If the features have another width than those that the gate was fitted to.
        """
        reasons = [self.limits.reason(measures_of(row)) for row in descriptions]
        if self.network is None:
            return reasons
        features = check_features("features", features)
        if features.shape[1] != self.n_features:
            message = (
                f"Gate.check: the gate was fitted to {self.n_features} features. Received: "
                f"{features.shape[1]}. A gate serves only the model that it was fitted with."
            )
            raise ParameterError(message)
        scores = self.network.score(inputs_of(descriptions, features))
        return [
            reason or (_REASON.format(score, self.cut) if score > self.cut else "")
            for reason, score in zip(reasons, scores, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return the settings without the arrays, ready for JSON."""
        return {
            "appearance": VERSION,
            "limits": self.limits.to_dict(),
            "cut": self.cut,
            "max_refused": self.max_refused,
            "n_scans": self.n_scans,
            "n_others": self.n_others,
            "layer": self.layer,
        }

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays, ready for `numpy.savez`; empty without a network."""
        return {} if self.network is None else self.network.to_arrays()

    @classmethod
    def from_stored(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float32]]
    ) -> Gate:
        """Build a gate from `to_dict`'s and `to_arrays`'s output.

        Parameters
        ----------
        settings : mapping
            As `to_dict` gives them.
        arrays : mapping of str to ndarray of float32
            As `to_arrays` gives them; a file of `numpy.load` serves.

        Returns
        -------
        Gate
            That checks as the stored one did.

        Raises
        ------
        ParameterError
            If something is missing, malformed, or written by another version of the method.
        """
        wanted = {"appearance", "limits", "cut", "max_refused", "n_scans", "n_others"}
        layer = settings.get("layer")
        if set(settings) - {"layer"} != wanted or not isinstance(layer, (str, type(None))):
            message = f"Gate: expected {sorted(wanted)}. Received: {sorted(settings)}"
            raise ParameterError(message)
        if settings["appearance"] != VERSION:
            message = (
                f"The gate was fitted to version {settings['appearance']} of how pictures are "
                f"described; this library has version {VERSION}. Install the version of "
                "mri-tumor that the model was saved with."
            )
            raise ParameterError(message)
        rest = {name: settings[name] for name in wanted - {"appearance", "limits"}}
        for name, value in rest.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                message = f"Gate: {name} must be a number. Received: {value!r}"
                raise ParameterError(message)
        network = Network.from_arrays({name: arrays[name] for name in arrays}) if arrays else None
        return cls(
            limits=Limits.from_dict(settings["limits"]), network=network, layer=layer, **rest
        )
