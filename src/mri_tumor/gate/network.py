"""A small network that tells scans from other pictures; NumPy runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

# A single wild feature must not decide alone.
CLIP = 8.0
"""Largest standardised value, either way."""


@dataclass(frozen=True, eq=False)
class Network:
    """One hidden layer of rectified units on standardised values.

    Parameters
    ----------
    mean, scale : ndarray of float32, shape (d,)
        Taken off each value, and then divided by; all scales positive.
    hidden : ndarray of float32, shape (d, h)
        Weights of the hidden layer.
    hidden_bias, output : ndarray of float32, shape (h,)
        Bias of the hidden layer, and weights of the sum.
    output_bias : ndarray of float32, shape (1,)
        Bias of the sum.

    Raises
    ------
    ParameterError
        If shapes do not fit together or a value is not finite.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    output_bias: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = self.hidden.shape
        wanted = {
            "mean": shape[:1], "scale": shape[:1], "hidden_bias": shape[1:], "output": shape[1:],
            "output_bias": (1,),
        }  # fmt: skip
        arrays = self.to_arrays()
        good = len(shape) == 2 and all(arrays[k].shape == v for k, v in wanted.items())
        if not good or not all(np.isfinite(values).all() for values in arrays.values()):
            shapes = {name: values.shape for name, values in arrays.items()}
            message = f"Network: shapes must fit and values be finite. Received: {shapes}"
            raise ParameterError(message)
        if not (self.scale > 0).all():
            message = "Network: every scale must be positive."
            raise ParameterError(message)

    @property
    def n_inputs(self) -> int:
        """How many values it takes."""
        return int(self.hidden.shape[0])

    @np.errstate(invalid="ignore")  # OpenBLAS raises the flag for lanes past the data
    def score(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how little each row looks like a scan.

        Parameters
        ----------
        values : ndarray of float32, shape (n, d)
            As `inputs_of` gives them.

        Returns
        -------
        ndarray of float32, shape (n,)
            Log odds that the row is no scan, for as many scans as others.
        """
        standard = np.clip((values - self.mean) / self.scale, -CLIP, CLIP)
        units = np.maximum(standard @ self.hidden + self.hidden_bias, 0)
        return np.asarray(units @ self.output + self.output_bias[0], dtype=np.float32)

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float32]]) -> Network:
        """Build the network from `to_arrays`'s output.

        Raises
        ------
        ParameterError
            If an array is missing or of another shape or type.
        """
        if set(arrays) != set(ARRAYS):
            message = f"Network: expected {list(ARRAYS)}. Received: {sorted(arrays)}"
            raise ParameterError(message)
        for name, values in arrays.items():
            if values.dtype != np.float32:
                message = f"Network: {name} must be float32. Received: {values.dtype}"
                raise ParameterError(message)
        return cls(**arrays)


ARRAYS = tuple(Network.__dataclass_fields__)
"""Names of a network's arrays."""


def inputs_of(
    descriptions: NDArray[np.float32], features: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Join descriptions and features to rows of a network.

    Parameters
    ----------
    descriptions : ndarray of float32, shape (n, WIDTH)
        `describe_all` of the pictures.
    features : ndarray of float, shape (n, c)
        Pooled features of the model. Their square roots are taken, with the sign kept:
        averages of rectified maps have long tails.

    Returns
    -------
    ndarray of float32, shape (n, c + WIDTH)
    """
    rooted = np.sign(features) * np.sqrt(np.abs(features))
    return np.concatenate([rooted, descriptions], axis=1, dtype=np.float32, casting="same_kind")


def check_features(name: str, values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return features as float32, or say what is wrong with them.

    Raises
    ------
    ParameterError
        If they are not finite numbers of shape (n, c).
    """
    values = np.asarray(values)
    if values.ndim != 2 or not values.shape[1] or values.dtype.kind != "f":
        message = (
            f"{name} must be the model's pooled features, float of shape (n, c). "
            f"Received: {values.dtype} of shape {values.shape}."
        )
        raise ParameterError(message)
    if not np.isfinite(values).all():
        message = f"{name} must be finite; it holds NaN or infinite values."
        raise ParameterError(message)
    return values.astype(np.float32, copy=False)
