"""Fingerprints of images: one for identical pixels, one for images that look alike."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mri_tumor.errors import ImageError
from mri_tumor.images import read_image

#: Bits of a perceptual hash: the 16 x 16 lowest frequencies of a 64 x 64 thumbnail.
HASH_BITS = 256
_SIDE = 16
_THUMBNAIL = 64
# Below this spread of grey levels (of 255) a thumbnail holds nothing but coding noise, whose
# hash would be chance: black and blank images would all seem to look alike.
_FLAT = 1.0
_CHUNK = 1024


def _dct_matrix() -> NDArray[np.float64]:
    frequency = np.arange(_SIDE)[:, None]
    position = np.arange(_THUMBNAIL)[None, :]
    return np.asarray(2 * np.cos(np.pi * frequency * (2 * position + 1) / (2 * _THUMBNAIL)))


_DCT = _dct_matrix()
_FLIP = np.where(np.arange(_SIDE) % 2, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What is kept of one image after it was decoded.

    Attributes
    ----------
    pixels : str
        SHA-256 of the decoded grey pixels and their shape, as 64 hex digits.
    file : str
        SHA-256 of the file's bytes, as 64 hex digits; empty for an array.
    coefficients : ndarray of float32, shape (16, 16)
        Lowest frequencies of the discrete cosine transform of the 64 x 64 thumbnail; all
        zero for an image without contrast.
    shape : tuple of int
        Height and width in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from mri_tumor import make_phantoms
    >>> image = make_phantoms(1, size=64).images[0]
    >>> fingerprint_image(image).pixels == fingerprint_image(image.copy()).pixels
    True
    """

    pixels: str
    file: str
    coefficients: NDArray[np.float32]
    shape: tuple[int, int]


def fingerprint_image(image: NDArray[np.uint8], *, file_hash: str = "") -> Fingerprint:
    """Fingerprint a decoded image.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width)
        Grey levels in [0, 255].
    file_hash : str, optional
        SHA-256 of the file that the image came from.

    Returns
    -------
    Fingerprint
        Hash of the pixels and the numbers that perceptual hashes are made of.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> image = make_phantoms(1, size=64).images[0]
    >>> fingerprint_image(image).shape
    (64, 64)
    """
    height, width = image.shape
    digest = hashlib.sha256(f"{height}x{width}:".encode())
    digest.update(np.ascontiguousarray(image).data)
    thumbnail = Image.fromarray(image).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    values = np.asarray(thumbnail, dtype=np.float64)
    if values.std() < _FLAT:
        coefficients = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    else:
        coefficients = (_DCT @ values @ _DCT.T).astype(np.float32)
    return Fingerprint(digest.hexdigest(), file_hash, coefficients, (height, width))


def fingerprint_file(path: str | os.PathLike[str]) -> Fingerprint:
    """Read an image file and fingerprint it.

    Parameters
    ----------
    path : str or path-like
        File in any format that `mri_tumor.images.read_image` reads.

    Returns
    -------
    Fingerprint
        Hashes of the file and of its pixels.

    Raises
    ------
    ImageError
        If the file is missing, empty, broken or no image.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> path = make_phantoms(1, size=64, folder="scans").paths[0]
    >>> len(fingerprint_file(path).pixels)
    64
    """
    file = Path(path)
    image = read_image(file)  # first: it waits for no pipe
    try:
        with file.open("rb") as stream:
            file_hash = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ImageError(f"{file}: cannot be opened ({error.strerror or error}).") from error
    return fingerprint_image(image, file_hash=file_hash)


def perceptual_hashes(coefficients: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Turn cosine coefficients into the hashes of an image's eight orientations.

    A mirror image only changes the sign of the odd frequencies, and a transposed image
    transposes them, so the hashes of all rotations by 90 degrees and mirror images follow from
    one transform. The first hash equals ``imagehash.phash(image, hash_size=16)``: a bit is set
    where a coefficient is above the median of all 256.

    Parameters
    ----------
    coefficients : array_like of float, shape (n_images, 16, 16)
        As in `Fingerprint.coefficients`.

    Returns
    -------
    ndarray of uint8, shape (n_images, 8, 32)
        256 bits, packed, per image and orientation: as it is, mirrored left to right, mirrored
        top to bottom, turned by 180 degrees, and the transposes of these four. All zero for an
        image without contrast, which is like no other.

    References
    ----------
    .. [1] Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
       Master's thesis, FH Hagenberg, 2010.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> image = make_phantoms(1, size=64).images[0]
    >>> pair = [fingerprint_image(image), fingerprint_image(image[:, ::-1])]
    >>> perceptual_hashes(np.stack([one.coefficients for one in pair])).shape
    (2, 8, 32)
    """
    plain = np.asarray(coefficients).reshape(-1, _SIDE, _SIDE)
    hashes = np.empty((len(plain), 8, HASH_BITS // 8), dtype=np.uint8)
    for start in range(0, len(plain), _CHUNK):
        block = plain[start : start + _CHUNK].astype(np.float64)
        mirrored = block * _FLIP
        upright = [block, mirrored, block * _FLIP[:, None], mirrored * _FLIP[:, None]]
        turned = [variant.transpose(0, 2, 1) for variant in upright]
        values = np.stack([*upright, *turned], axis=1).reshape(len(block), 8, HASH_BITS)
        bits = values > np.median(values, axis=2, keepdims=True)
        hashes[start : start + _CHUNK] = np.packbits(bits, axis=2)
    return hashes


def fingerprint_files(
    paths: Sequence[str | os.PathLike[str]],
    *,
    n_threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Fingerprint | ImageError]:
    """Fingerprint many files in parallel; memory does not grow with their pixels.

    Parameters
    ----------
    paths : sequence of path-like
        Files to read.
    n_threads : int, optional
        Threads that decode; the number of processors by default.
    progress : callable, optional
        Called with the number of files done and of all files, about once per 1,000.

    Yields
    ------
    Fingerprint or ImageError
        One for each path, in order; an error is given back, not raised.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> paths = make_phantoms(3, size=64, folder="scans").paths
    >>> len({found.pixels for found in fingerprint_files(paths)})
    3
    """

    def attempt(path: str | os.PathLike[str]) -> Fingerprint | ImageError:
        try:
            return fingerprint_file(path)
        except ImageError as error:
            return error

    rest = iter(paths)
    done = 0
    with ThreadPoolExecutor(n_threads or os.cpu_count()) as pool:
        while chunk := list(islice(rest, _CHUNK)):
            yield from pool.map(attempt, chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, len(paths))
