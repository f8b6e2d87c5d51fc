"""What decides how a training ends, as values that can be compared later."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import keras
    from numpy.typing import NDArray

    from mri_tumor.training.fitting import LabelledImages, StagePlan

# These show or decide nothing in training.
_WITHOUT_EFFECT = {"verbose", "threshold"}


def training_identity(
    parameters: Mapping[str, Any],
    plans: Sequence[StagePlan],
    parts: Sequence[LabelledImages],
    model: keras.Model,
) -> dict[str, Any]:
    """Return what tells this training from any other.

    Files are told apart by path, size and time of change, arrays by their pixels.

    Parameters
    ----------
    parameters : mapping
        Those of the classifier.
    plans : sequence of StagePlan
        Its stages.
    parts : sequence of LabelledImages
        Training and validation part.
    model : keras.Model
        As it is before the training.

    Returns
    -------
    dict
        Plain values, by the name of the setting.
    """
    from mri_tumor import __version__

    plain = {k: _plain(v) for k, v in parameters.items() if k not in _WITHOUT_EFFECT}
    return {
        "mri-tumor": __version__,
        **plain,
        "stages": [repr(plan) for plan in plans],
        "images": _hash(piece for part in parts for piece in _pieces(part)),
        "start": _hash(np.ascontiguousarray(values).data for values in model.get_weights()),
    }


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    text = repr(value)
    if " at 0x" not in text:
        return text
    # The place of an object in memory is another in every process: its name will do.
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__} {getattr(value, 'name', '')}".strip()


def _pieces(part: LabelledImages) -> Iterable[bytes | memoryview]:
    yield _bytes(part.targets)
    yield _bytes(part.weights)
    for index, name in enumerate(part.images.names):
        yield name.encode("utf-8", "surrogatepass") + b"\0"
        if part.images.arrays is not None:
            pixels = part.images.arrays[index]
            yield repr(pixels.shape).encode()
            yield _bytes(pixels)
            continue
        try:
            found = os.stat(name)  # noqa: PTH116
        except OSError:
            continue  # the reader says what is wrong
        yield f"{found.st_size} {found.st_mtime_ns}".encode()


def _bytes(values: NDArray[Any]) -> bytes:
    return np.ascontiguousarray(values).tobytes()


def _hash(pieces: Iterable[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
