"""The ``.keras`` file of a bundle: what may be in it, and its weights in half the space."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import BundleError
from mri_tumor.framework import foreign_classes

if TYPE_CHECKING:
    from pathlib import Path

_KERAS_PARTS = {"metadata.json", "config.json", "model.weights.h5"}
_MAX_CONFIG_BYTES = 64 * 2**20


def check_keras_file(path: Path) -> None:
    """Refuse a Keras file with parts or classes that are not Keras' own."""
    try:
        with zipfile.ZipFile(path) as archive:
            extra = set(archive.namelist()) - _KERAS_PARTS
            bomb = [part.filename for part in archive.infolist() if _is_bomb(part)]
            config = None if bomb else json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, RecursionError) as error:
        raise BundleError(
            f"{path}: is no Keras model file ({error}). Save the model again."
        ) from error
    if bomb:
        message = f"{path}: {bomb[0]} unpacks to more than a model's parts do. It was not loaded."
        raise BundleError(message)
    foreign = sorted({*extra, *foreign_classes(config)})
    if foreign:
        message = (
            f"{path}: holds what is not Keras' own and could run code: {', '.join(foreign[:5])}. "
            "It was not loaded. Only load models that you trust and that this library saved."
        )
        raise BundleError(message)


def _is_bomb(part: zipfile.ZipInfo) -> bool:
    """Say whether a part of an archive is larger than its kind can be.

    Weights hardly compress; what does is small.
    """
    small = part.file_size <= _MAX_CONFIG_BYTES
    weights = part.filename.endswith(".h5")
    return not small and (not weights or part.file_size > 20 * part.compress_size)


def halve_weights(path: Path) -> None:
    """Store the weights of a Keras file as float16; Keras casts them back on loading."""
    import h5py
    import numpy as np

    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    source = h5py.File(io.BytesIO(parts["model.weights.h5"]), "r")
    with source, h5py.File(buffer, "w") as copy:

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                small = values.astype(np.float16) if values.dtype == np.float32 else values
                made = copy.create_dataset(name, data=small)
            else:
                made = copy.require_group(name)
            for key, value in item.attrs.items():
                made.attrs[key] = value

        source.visititems(visit)
        for key, value in source.attrs.items():
            copy.attrs[key] = value
    parts["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            # A fixed date keeps the file, and so its hash, the same for the same weights.
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content)
