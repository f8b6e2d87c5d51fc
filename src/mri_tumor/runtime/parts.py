"""What a saved model holds besides its network, read without a framework."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.errors import BundleError, MRITumorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from mri_tumor.bundle import Bundle
    from mri_tumor.explain.closed_form import PooledHead

HEAD = "head.npz"
_WEIGHTS = ("w1", "b1", "w2", "b2")


def pack_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return arrays as the bytes of an ``.npz`` file.

    Parameters
    ----------
    arrays : mapping of str to ndarray of float
        Kept as float16 where that loses nothing.

    Returns
    -------
    bytes
        The file.
    """
    buffer = io.BytesIO()
    small: dict[str, NDArray[Any]] = {}
    with np.errstate(over="ignore"):
        for name, array in arrays.items():
            whole = np.asarray(array, np.float32)
            half = whole.astype(np.float16)
            small[name] = half if np.array_equal(half.astype(np.float32), whole) else whole
    np.savez(buffer, allow_pickle=False, **small)
    return buffer.getvalue()


def pack_head(head: PooledHead) -> bytes:
    """Return the head's weights as the bytes of `HEAD`."""
    return pack_arrays({name: getattr(head, name) for name in _WEIGHTS})


def read_head(bundle: Bundle) -> PooledHead:
    """Read the head's weights, which heatmaps need.

    Raises
    ------
    BundleError
        If the bundle has none, or they are damaged.
    """
    from mri_tumor.explain.closed_form import PooledHead

    arrays = _read_arrays(bundle, HEAD)
    try:
        return PooledHead(*(arrays[name] for name in _WEIGHTS))
    except (KeyError, MRITumorError) as error:
        message = f"{bundle.path / HEAD}: is not a head's weights ({error}). Save the model again."
        raise BundleError(message) from error


def _read_arrays(bundle: Bundle, name: str) -> dict[str, NDArray[np.float32]]:
    path = bundle.path / name
    if name not in bundle.metadata["files"]:
        message = f"{path}: this saved model has no such file. Save or export the model again."
        raise BundleError(message)
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: np.asarray(stored[key], np.float32) for key in stored.files}
    except (OSError, ValueError, KeyError) as error:
        message = f"{path}: cannot be read ({error}). Copy or save the model again."
        raise BundleError(message) from error
