"""Models that are loaded once and shared by all sessions."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from mri_tumor.bundle import METADATA, find_bundle
from mri_tumor.runtime import load

if TYPE_CHECKING:
    from mri_tumor.runtime import Runtime


def open_model(name: str) -> Runtime:
    """Load a model, or return it where it is loaded already and has not changed since.

    Parameters
    ----------
    name : str
        Folder, or the name of a model that ships.

    Returns
    -------
    Runtime
        Several threads may use it.

    Raises
    ------
    BundleError
        If there is none, it is damaged, or it has no file for answering without TensorFlow.
    """
    folder = find_bundle(name.strip())
    file = folder / METADATA
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    return _load(str(folder), changed)


@lru_cache(maxsize=4)
def _load(folder: str, changed: int) -> Runtime:
    del changed  # a model that was trained anew is another one
    return load(folder)
