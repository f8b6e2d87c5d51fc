"""Write a saved model, whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mri_tumor.bundle import FORMAT_VERSION, METADATA, MODEL, Bundle, read_bundle
from mri_tumor.errors import BundleError
from mri_tumor.files import sha256_of, sync_tree
from mri_tumor.keras_file import halve_weights

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    import keras


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
    check_target(path)
    # Behind a link lies what is exchanged; the link stays.
    target = Path(path).resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    except OSError as error:
        raise BundleError(f"{path}: cannot be written ({error.strerror}).") from error
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
        message = f"{path}: cannot be written ({error.strerror or error}). Nothing was changed."
        raise BundleError(message) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return read_bundle(path)


def check_target(path: str | os.PathLike[str], *, for_export: bool = False) -> None:
    """Refuse a place where no bundle can be written, before anything is computed for it.

    Parameters
    ----------
    path : str or path
        Folder to write.
    for_export : bool, default=False
        Refuse a model as well, which an export would replace, and which cannot be had back from it.

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
    if target.exists() and target.resolve() == Path.cwd():
        message = f"{target}: is the current folder, which cannot be exchanged. Give another one."
        raise BundleError(message)
    if for_export and (target / MODEL).exists():
        message = (
            f"{target}: holds a trained model, and an export would take its place. "
            "Choose another folder."
        )
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


def _write_metadata(folder: Path, metadata: Mapping[str, Any]) -> None:
    hashes = {
        str(file.relative_to(folder)): sha256_of(file)
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
