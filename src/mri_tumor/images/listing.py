"""Find the image files of a folder, as they come, without leaving it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from mri_tumor.images.messages import refusal, shown
from mri_tumor.images.sniffing import HEAD, sniff

EXTENSIONS = frozenset({
    ".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".bmp", ".webp", ".gif",
    ".dcm", ".dicom", ".ima", ".nii", ".nii.gz",
})  # fmt: skip
"""Files with these names are images, broken ones too, so that they are reported."""

Skip = Callable[[Path, str], None]


def list_images(
    folder: str | os.PathLike[str],
    *,
    recursive: bool = True,
    on_skip: Skip | None = None,
    also: frozenset[str] = frozenset(),
) -> Iterator[Path]:
    """Yield the image files of a folder in a fixed order, as they are found.

    One folder's names are held in memory at a time, never those of the whole tree. A file
    counts as an image by its name (`EXTENSIONS`, in any case), so that an empty or broken one
    is met by the reader, which says so; other names, and files without one, are looked
    into, since DICOM files often have none. Left out are hidden files, DICOMDIR indexes and
    what is no regular file. Links to files within the folder are followed; links out of it,
    and links to folders, are not.

    Parameters
    ----------
    folder : str or path
        Where to look.
    recursive : bool, default=True
        Look into its folders too.
    on_skip : callable, optional
        Called with the path and the reason, in words, for each link or folder that is left
        out for safety or cannot be read. By default a folder that cannot be read is an
        error, and links are left out silently.
    also : frozenset of str, optional
        Further endings of names, in lower case, whose files are yielded as well.

    Yields
    ------
    pathlib.Path
        Below `folder`, sorted by name within each folder, depth first.

    Raises
    ------
    ImageError
        If `folder` is no folder, or a folder cannot be read and `on_skip` is None.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> _ = make_phantoms(2, size=64, folder="scans")
    >>> len(list(list_images("scans")))
    2
    """
    root = Path(folder)
    name = shown(folder)
    if not root.exists():
        raise refusal(name, "does not exist", "Check the path")
    if not root.is_dir():
        raise refusal(name, "is no folder", "Pass a folder, or read the file by read_image")
    return _walk(root, Path(os.path.realpath(root)), recursive, on_skip, also)


def _walk(
    root: Path, real_root: Path, recursive: bool, on_skip: Skip | None, also: frozenset[str]
) -> Iterator[Path]:
    # A stack instead of recursion: folders may lie deeper than Python's own stack.
    pending = [_entries(root, on_skip)]
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            continue
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name.upper() == "DICOMDIR":
            continue
        if entry.is_symlink():
            reason = _why_not(path, real_root)
            if reason:
                if on_skip:
                    on_skip(path, reason)
                continue
        elif entry.is_dir(follow_symlinks=False):
            if recursive:
                pending.append(_entries(path, on_skip))
            continue
        elif not entry.is_file(follow_symlinks=False):
            continue
        if path.suffix.lower() in also or _is_image(path):
            yield path


def _entries(folder: Path, on_skip: Skip | None) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return iter(sorted(found, key=lambda entry: entry.name))
    except OSError as error:
        reason = f"cannot be read ({error.strerror})"
        if on_skip is None:
            raise refusal(shown(folder), reason, "Check its permissions") from None
        on_skip(folder, reason)
        return iter(())


def _why_not(link: Path, real_root: Path) -> str | None:
    """Return why a link is not followed, None if it is."""
    target = Path(os.path.realpath(link))
    if not target.is_relative_to(real_root):
        return "is a link out of the folder"
    if target.is_dir():
        return "is a link to a folder"
    return None if target.is_file() else "is a broken link"


def _is_image(path: Path) -> bool:
    name = path.name.lower()
    if name.endswith(".nii.gz") or path.suffix.lower() in EXTENSIONS:
        return True
    try:
        with path.open("rb") as file:
            return sniff(file.read(HEAD)) is not None
    except OSError:
        return False
