"""Tell which images a model has seen before, from the hashes that it keeps of them."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mri_tumor.data.duplicates import NEAR_RADIUS, near_pairs
from mri_tumor.data.hashing import HASH_BITS, fingerprint_image, perceptual_hashes
from mri_tumor.errors import DataError, ImageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from mri_tumor.images.collection import ImageCollection

#: Hex digits of a pixel hash that are kept: 64 bits, enough for any collection.
SEEN_DIGITS = 16
_BYTES = HASH_BITS // 8

Prints = tuple["Sequence[str]", "NDArray[np.uint8]"]


@dataclass(frozen=True)
class Overlap:
    """How many images a model has seen before.

    Parameters
    ----------
    n_images : int
        Images that were looked at.
    n_identical : int
        Those with the same pixels as an image that the model was made with.
    n_near : int
        Those that are the same or look alike, turned and mirrored copies included.
    """

    n_images: int
    n_identical: int
    n_near: int

    def __bool__(self) -> bool:
        return self.n_near > 0

    def __str__(self) -> str:
        return (
            f"{self.n_near:,} of these {self.n_images:,} images were used to make the model, or "
            f"are near-copies of images that were ({self.n_identical:,} with identical pixels): "
            "the figures flatter the model."
        )


@dataclass(frozen=True, eq=False)
class SeenImages:
    """What is kept of the images that a model was made with.

    Parameters
    ----------
    pixels : frozenset of str
        First 16 hex digits of the SHA-256 of their decoded pixels.
    hashes : ndarray of uint8, shape (n, 32)
        Their perceptual hashes, each once.
    """

    pixels: frozenset[str]
    hashes: NDArray[np.uint8]

    @classmethod
    def of(cls, prints: Iterable[Prints]) -> SeenImages:
        """Collect hashes, as `prints_of` gives them, of one part of the data or several."""
        parts = list(prints)
        plain = [np.asarray(hashes).reshape(-1, 8, _BYTES)[:, 0] for _, hashes in parts]
        rows = np.concatenate([np.zeros((0, _BYTES), np.uint8), *plain])
        return cls(
            frozenset(name[:SEEN_DIGITS] for names, _ in parts for name in names),
            np.unique(rows[rows.any(axis=1)], axis=0),  # images without contrast are like none
        )

    def joined(self, other: SeenImages) -> SeenImages:
        """Return what is in one or the other."""
        rows = np.concatenate([self.hashes, other.hashes])
        return SeenImages(self.pixels | other.pixels, np.unique(rows, axis=0))

    def overlap(self, prints: Prints, *, radius: int = NEAR_RADIUS) -> Overlap:
        """Count the images that are among these, or near one of them.

        Parameters
        ----------
        prints : tuple
            Hashes of the images in question, from `prints_of`.
        radius : int, default=16
            Bits of 256 in which the perceptual hashes of near-duplicates may differ.

        Returns
        -------
        Overlap
            The counts.
        """
        names, hashes = prints
        identical = np.array([name[:SEEN_DIGITS] in self.pixels for name in names], dtype=bool)
        near = identical.copy()
        n = len(names)
        if n and len(self.hashes):
            # Only one orientation of the seen images is kept; zeros are near nothing, and the
            # images in question are compared in all of theirs.
            known = np.zeros((len(self.hashes), 8, _BYTES), dtype=np.uint8)
            known[:, 0] = self.hashes
            pairs = near_pairs(np.concatenate([hashes, known]), radius=radius)
            near[pairs.first[(pairs.first < n) & (pairs.second >= n)]] = True
        return Overlap(n, int(identical.sum()), int(near.sum()))

    def to_dict(self) -> dict[str, Any]:
        """Return the hashes as what JSON can hold."""
        alike = base64.b64encode(np.ascontiguousarray(self.hashes).tobytes()).decode("ascii")
        return {"seen": sorted(self.pixels), "seen_alike": alike}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> SeenImages:
        """Read what `to_dict` wrote; what is missing counts as nothing seen.

        Raises
        ------
        DataError
            If it holds something else.
        """
        try:
            content = base64.b64decode(plain.get("seen_alike", ""), validate=True)
            rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, _BYTES)
            return cls(frozenset(map(str, plain.get("seen", ()))), rows)
        except (TypeError, ValueError, binascii.Error) as error:
            message = f"the hashes of a model's training images are damaged: {error}"
            raise DataError(message) from error


def prints_of(images: ImageCollection) -> Prints:
    """Fingerprint images; those that cannot be read are left out.

    Parameters
    ----------
    images : ImageCollection
        The images; each is read once.

    Returns
    -------
    names : list of str
        SHA-256 of the decoded pixels of each.
    hashes : ndarray of uint8, shape (n, 8, 32)
        As `perceptual_hashes` gives them.
    """
    names: list[str] = []
    coefficients = [np.zeros((0, 16, 16), np.float32)]
    for i in range(len(images)):
        try:
            found = fingerprint_image(images.read(i))
        except ImageError:
            continue
        names.append(found.pixels)
        coefficients.append(found.coefficients[None])
    return names, perceptual_hashes(np.concatenate(coefficients))
