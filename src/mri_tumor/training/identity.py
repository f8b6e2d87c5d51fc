"""What decides how a training ends, as values that can be compared later."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import keras
    from numpy.typing import NDArray

    from mri_tumor.images.collection import ImageCollection
    from mri_tumor.training.augmentation import Variants
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
    plain["cache"] = bool(parameters.get("cache"))  # where it is has no effect
    # Any number of devices takes the same steps.
    plain["strategy"] = "shared" if parameters.get("strategy") else None
    return {
        "mri-tumor": __version__,
        **plain,
        "stages": [repr(plan) for plan in plans],
        "images": _hash(piece for part in parts for piece in _pieces(part)),
        "start": _hash(np.ascontiguousarray(values).data for values in model.get_weights()),
    }


def features_key(
    frozen: keras.Model, images: ImageCollection, variants: Variants, *, n_variants: int
) -> str | None:
    """Return what tells these activations from any others.

    Files count by their content, wherever they lie. The code that reads, prepares and varies
    images counts as well, so that no change of it meets what an older one has left.

    Parameters
    ----------
    frozen : keras.Model
        From images to the activations.
    images : ImageCollection
        Files or arrays.
    variants : Variants
        Prepares them.
    n_variants : int
        Variants of each image.

    Returns
    -------
    str or None
        Letters and digits. None where it cannot be known: a policy from elsewhere, or an image
        that cannot be read.
    """
    if n_variants > 1 and not _is_ours(variants.policy):
        return None
    try:
        contents = [_content(images, index) for index in range(len(images))]
    except OSError:
        return None  # the reader says what is wrong
    described = {
        "variants": variants.describe() if n_variants > 1 else variants.settings.to_dict(),
        "n_variants": n_variants,
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy", "pillow")},
    }
    pieces = [_code(), repr(described).encode(), _structure(frozen)]
    weights = (np.ascontiguousarray(values).data for values in frozen.get_weights())
    return _hash(chain(pieces, weights, contents))[:40]


def _is_ours(policy: Any) -> bool:
    """Say whether a policy is the library's, whose code is known."""
    inner = (getattr(policy, "change", None), *getattr(policy, "policies", ()))
    ours = type(policy).__module__.startswith("mri_tumor.")
    return ours and all(_is_ours(one) for one in inner if one is not None)


def _structure(model: keras.Model) -> bytes:
    """Return a model's graph; Keras numbers unnamed layers by when they were made."""
    graph = json.loads(model.to_json())
    names: dict[str, str] = {}

    def collect(value: Any) -> None:
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            names.setdefault(value["name"], f"layer {len(names)}")
        for inner in _inner(value):
            collect(inner)

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: renamed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [renamed(inner) for inner in value]
        return names.get(value, value) if isinstance(value, str) else value

    collect(graph)
    return json.dumps(renamed(graph), sort_keys=True).encode()


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _content(images: ImageCollection, index: int) -> bytes:
    if images.arrays is not None:
        pixels = images.arrays[index]
        return repr(pixels.shape).encode() + hashlib.sha256(_bytes(pixels)).digest()
    with Path(images.names[index]).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@cache
def _code() -> bytes:
    """Return a hash of the modules that stand between a file and the network."""
    import mri_tumor

    home = Path(mri_tumor.__file__).parent
    files = sorted(file for name in ("images", "training") for file in home.glob(f"{name}/*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).digest()


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
