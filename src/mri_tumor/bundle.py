"""A saved model: a folder with everything that is needed to use it, and no pickle."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.errors import BundleError, suggestion
from mri_tumor.files import sync_tree
from mri_tumor.keras_file import check_keras_file, halve_weights

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
    metadata: Mapping[str, Any]

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
    root = Path(__file__).parent / "weights"
    known = sorted(path.parent.name for path in root.glob(f"*/{METADATA}"))
    if name not in known:
        message = (
            f"No model named {name!r} ships with the library.{suggestion(name, known)} Known: "
            f"{', '.join(known)}. A folder in this one is given as ./{name}."
        )
        raise BundleError(message)
    return root / name


def find_bundle(name: str | os.PathLike[str]) -> Path:
    """Return the folder of a model given by its place, or by the name it ships under.

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
    path = Path(name)
    if path.exists() or len(path.parts) > 1:
        return path
    return packaged_bundle(str(name))


def write_bundle(
    path: str | os.PathLike[str],
    model: keras.Model | None,
    metadata: Mapping[str, Any],
    *,
    half_precision: bool = False,
    files: Mapping[str, bytes] | None = None,
) -> Bundle:
    """Write a model and what is needed to use it; a crash leaves what was there before.

    Parameters
    ----------
    path : str or path
        Folder to write; an older bundle there is replaced, and files that are not of it stay.
    model : keras.Model or None
        The model; None for an exported one, whose networks are among `files`.
    metadata : mapping
        What JSON can hold; the format version and the hashes are added.
    half_precision : bool, default=False
        Store the weights as float16 (half the size); they are computed with in float32.
    files : mapping of str to bytes, optional
        More files by their place in the folder, such as a report or figures.

    Returns
    -------
    Bundle
        What was written.

    Raises
    ------
    BundleError
        If something else than a bundle is there, or the folder cannot be written.
    """
    target = Path(path)
    check_target(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise BundleError(f"{target}: cannot be written ({error.strerror}).") from error
    try:
        if model is not None:
            model.save(scratch / MODEL)
            if half_precision:
                halve_weights(scratch / MODEL)
        for name, content in (files or {}).items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(content)
        _write_metadata(scratch, metadata)
        _carry_over(target, scratch)
        scratch.chmod(0o755)
        sync_tree(scratch)
        _replace(scratch, target)
    except OSError as error:
        message = f"{target}: cannot be written ({error.strerror or error}). Nothing was changed."
        raise BundleError(message) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return read_bundle(target)


def check_target(path: str | os.PathLike[str]) -> None:
    """Refuse a place where no bundle can be written, before anything is computed for it.

    Parameters
    ----------
    path : str or path
        Folder to write.

    Raises
    ------
    BundleError
        If something else than a bundle or an empty folder is there.
    """
    target = Path(path)
    ours = not target.exists() or (target / METADATA).is_file()
    if not ours and not (target.is_dir() and not any(target.iterdir())):
        message = f"{target}: is there already and is no saved model. Choose another folder."
        raise BundleError(message)


def extend_bundle(
    bundle: Bundle, metadata: Mapping[str, Any], files: Mapping[str, bytes]
) -> Bundle:
    """Add files and metadata to a bundle; a crash leaves it as it was.

    Parameters
    ----------
    bundle : Bundle
        From `read_bundle`.
    metadata : mapping
        What JSON can hold; replaces entries of the same name.
    files : mapping of str to bytes
        Files by their place in the folder; an older one is replaced.

    Returns
    -------
    Bundle
        What is there now.

    Raises
    ------
    BundleError
        If the folder cannot be written.
    """
    kept = {name: bundle.path / name for name in bundle.metadata["files"]}
    contents = {**{name: path.read_bytes() for name, path in kept.items()}, **files}
    return write_bundle(bundle.path, None, {**bundle.metadata, **metadata}, files=contents)


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


def _write_metadata(folder: Path, metadata: Mapping[str, Any]) -> None:
    hashes = {
        str(file.relative_to(folder)): _sha256(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != METADATA
    }
    content = {"format_version": FORMAT_VERSION, **metadata, "files": hashes}
    text = json.dumps(content, indent=2, allow_nan=False)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def _carry_over(older: Path, newer: Path) -> None:
    """Copy what somebody else put into an older bundle."""
    if not (older / METADATA).is_file():
        return
    try:
        ours = set(json.loads((older / METADATA).read_text("utf-8"))["files"])
    except (ValueError, KeyError, TypeError, OSError):
        ours = set()
    for file in older.rglob("*"):
        name = file.relative_to(older)
        if file.is_dir() and not file.is_symlink():
            continue
        if name.as_posix() in ours or name.name == METADATA or (newer / name).exists():
            continue
        (newer / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, newer / name, follow_symlinks=False)


def _replace(scratch: Path, target: Path) -> None:
    """Put a finished folder in the place of an older one."""
    if not target.exists():
        scratch.rename(target)
        return
    older = scratch.with_name(scratch.name + ".old")
    target.rename(older)
    try:
        scratch.rename(target)
    except OSError:
        older.rename(target)
        raise
    shutil.rmtree(older, ignore_errors=True)


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
    if _sha256(path) != expected:
        message = (
            f"{path}: is not the file that was saved (its SHA-256 differs). "
            "Copy or save the model again."
        )
        raise BundleError(message)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
