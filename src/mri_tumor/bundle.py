"""A saved model: a folder with everything that is needed to use it, and no pickle.

`bundle_writing` writes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import BundleError, suggestion
from mri_tumor.files import sha256_of
from mri_tumor.keras_file import check_keras_file

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import keras

# Version 1: first format. A newer library reads older formats; an older one refuses newer.
FORMAT_VERSION = 1
MODEL = "model.keras"
METADATA = "metadata.json"
_REQUIRED = ("classes", "negative_class", "threshold", "preprocessing", "backbone", "files")
_MAX_METADATA_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Bundle:
    """A saved model that was found complete.

    Parameters
    ----------
    path : Path
        Its folder.
    metadata : mapping
        The content of its ``metadata.json``.

    Examples
    --------
    >>> bundle = read_bundle(packaged_bundle("brain-mri"))
    >>> bundle.metadata["backbone"]["name"], bundle.metadata["negative_class"]
    ('MobileNetV2', 'notumor')
    """

    path: Path
    metadata: Mapping[str, Any] = field(repr=False)

    @property
    def n_bytes(self) -> int:
        """Size of all its files in bytes."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())


def packaged_bundle(name: str) -> Path:
    """Return the folder of a bundle that ships with the library.

    Parameters
    ----------
    name : str
        Such as ``"brain-mri"``.

    Returns
    -------
    Path
        Its folder.

    Raises
    ------
    BundleError
        If none of that name ships.

    Examples
    --------
    >>> packaged_bundle("brain-mri").name
    'brain-mri'
    """
    known = _packaged()
    if name not in known:
        message = (
            f"No model named {name!r} ships with the library.{suggestion(name, known)} Known: "
            f"{', '.join(known)}. A folder in this one is given as ./{name}."
        )
        raise BundleError(message)
    return known[name]


def find_bundle(name: str | os.PathLike[str]) -> Path:
    """Return the folder of a model given by its place, or by the name it ships under.

    A name that ships means the one that ships, whatever lies in the current folder: a folder of
    that name is given as ``./brain-mri``.

    Parameters
    ----------
    name : str or path
        A folder, or a name such as ``"brain-mri"``.

    Returns
    -------
    Path
        The folder, which may be missing where a path was given.

    Raises
    ------
    BundleError
        If it is neither a path nor a model that ships.

    Examples
    --------
    >>> find_bundle("brain-mri") == packaged_bundle("brain-mri")
    True
    >>> str(find_bundle("models/mine"))
    'models/mine'
    """
    if isinstance(name, str) and name in (known := _packaged()):
        return known[name]
    path = Path(name)
    if path.exists() or len(path.parts) > 1:
        return path
    return packaged_bundle(str(name))


def _packaged() -> dict[str, Path]:
    """Return the folders of the models that ship, by name."""
    root = Path(__file__).parent / "weights"
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{METADATA}"))}


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read a bundle's metadata and check that its files are whole.

    Parameters
    ----------
    path : str or path
        Folder of the bundle.

    Returns
    -------
    Bundle
        The bundle.

    Raises
    ------
    BundleError
        If it is missing, incomplete, damaged, or written by a newer library.

    Examples
    --------
    >>> read_bundle("nowhere")
    Traceback (most recent call last):
        ...
    mri_tumor.errors.BundleError: ...
    """
    folder = Path(path)
    file = folder / METADATA
    if not file.is_file():
        message = (
            f"{folder}: is no saved model (it has no {METADATA}). Give the folder that "
            "TumorClassifier.save or `mri-tumor train` wrote."
        )
        raise BundleError(message)
    if file.stat().st_size > _MAX_METADATA_BYTES:
        raise BundleError(f"{file}: is too large to be a bundle's metadata. Save the model again.")
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise BundleError(
            f"{file}: cannot be read as JSON ({error}). Save the model again."
        ) from error
    _check_metadata(file, metadata)
    for name, expected in metadata["files"].items():
        _check_file(folder, name, expected)
    return Bundle(folder, metadata)


def load_keras_model(bundle: Bundle) -> keras.Model:
    """Load the model of a bundle, refusing whatever could run code.

    Parameters
    ----------
    bundle : Bundle
        From `read_bundle`.

    Returns
    -------
    keras.Model
        The model, not compiled.

    Raises
    ------
    BundleError
        If it holds foreign classes or ``Lambda`` layers, or cannot be built.
    """
    import keras

    file = bundle.path / MODEL
    if MODEL not in bundle.metadata["files"]:
        message = (
            f"{bundle.path}: is an exported model without {MODEL}. Use mri_tumor.runtime.load, or "
            "the model that it was exported from."
        )
        raise BundleError(message)
    check_keras_file(file)
    try:
        return keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        message = (
            f"{file}: Keras cannot load the model ({first}). Save it again with this version."
        )
        raise BundleError(message) from error


def _check_metadata(file: Path, metadata: Any) -> None:
    version = metadata.get("format_version") if isinstance(metadata, dict) else None
    if not isinstance(version, int):
        raise BundleError(f"{file}: is not the metadata of a saved model. Save the model again.")
    if version > FORMAT_VERSION:
        message = (
            f"{file}: was written in format {version}, and this library reads up to "
            f"{FORMAT_VERSION}. Update mri-tumor."
        )
        raise BundleError(message)
    wrong = [
        name
        for name in ("files", "backbone", "preprocessing", "parameters", "data", "metrics", "gate")
        if not isinstance(metadata.get(name), (dict, type(None)))
    ]
    hashes = metadata.get("files")
    if isinstance(hashes, dict) and not all(
        isinstance(value, str) and "\0" not in name for name, value in hashes.items()
    ):
        wrong.append("files")
    if wrong:
        message = f"{file}: its entry {wrong[0]!r} is malformed. Save the model again."
        raise BundleError(message)
    missing = [name for name in _REQUIRED if metadata.get(name) is None]
    # An exported model has other networks instead, which its runtimes name.
    if missing or not (MODEL in metadata["files"] or metadata.get("runtimes")):
        message = f"{file}: lacks {', '.join(missing) or MODEL}. Save the model again."
        raise BundleError(message)


def _check_file(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    inside = path.resolve().is_relative_to(folder.resolve())
    if not inside or not path.is_file():
        raise BundleError(f"{path}: is missing from the saved model. Copy or save it again.")
    if sha256_of(path) != expected:
        message = (
            f"{path}: is not the file that was saved (its SHA-256 differs). "
            "Copy or save the model again."
        )
        raise BundleError(message)
