"""Find images that are the same or look alike, in near-linear time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mri_tumor.data.hashing import HASH_BITS
from mri_tumor.errors import ParameterError

#: Bits of 256 in which the hashes of near-duplicates may differ. On the 5,708 Kaggle training
#: images the largest cluster grows from 45 images at 8 bits to 55 at 16 and stays there up to
#: 40; at 48 unrelated patients begin to chain (233), at 56 they do (682). 16 leaves a wide
#: margin and is the distance at which the published split was measured to leak.
NEAR_RADIUS = 16
# Candidate pairs that are compared at a time: about 100 MB.
_BLOCK = 1_000_000
# Images whose bits are unpacked at a time, and the values that a band of 16 bits can have.
_ROWS = 512
_BAND_VALUES = 1 << 16


@dataclass(frozen=True)
class NearPairs:
    """Pairs of images whose hashes lie close together.

    Attributes
    ----------
    first, second : ndarray of int64, shape (n_pairs,)
        Indices of the images, ``first < second``; each pair occurs once.
    distance : ndarray of int64, shape (n_pairs,)
        Smallest number of differing bits, of 256, between one image as it is and the other in
        any of its eight orientations.

    Examples
    --------
    >>> import numpy as np
    >>> from mri_tumor.data import perceptual_hashes
    >>> one = np.random.default_rng(0).normal(size=(1, 16, 16)).astype("float32")
    >>> pairs = near_pairs(perceptual_hashes(np.concatenate([one, one])))
    >>> len(pairs), pairs.distance.tolist()
    (1, [0])
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)


def near_pairs(hashes: NDArray[np.uint8], *, radius: int = NEAR_RADIUS) -> NearPairs:
    """Find all pairs within a Hamming distance, rotated and mirrored copies included.

    The 256 bits are cut into ``radius + 1`` bands. Two hashes that differ in at most `radius`
    bits agree in at least one whole band (the pigeonhole principle), so only images that share
    a band's value are compared: the search is exact, and no image is compared with all others.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n_images, 8, 32)
        As `perceptual_hashes` gives them. An all-zero hash is near no other.
    radius : int, default=16
        Largest distance in bits, in [0, 32].

    Returns
    -------
    NearPairs
        Each pair once, sorted.

    Raises
    ------
    ParameterError
        If the radius is out of range or the hashes have another shape.

    References
    ----------
    .. [1] Norouzi, Punjani, Fleet, "Fast Search in Hamming Space with Multi-Index Hashing",
       CVPR 2012. arXiv:1307.2982

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> from mri_tumor.data import fingerprint_image, perceptual_hashes
    >>> image = make_phantoms(1, size=64).images[0]
    >>> pair = [fingerprint_image(image), fingerprint_image(image[:, ::-1])]
    >>> len(near_pairs(perceptual_hashes(np.stack([one.coefficients for one in pair]))))
    1
    """
    if not 0 <= radius <= 32:
        raise ParameterError(f"radius must be in [0, 32] bits. Received: {radius}")
    if hashes.ndim != 3 or hashes.shape[1:] != (8, HASH_BITS // 8):
        raise ParameterError(f"hashes must have shape (n, 8, 32). Received: {hashes.shape}")
    usable = np.flatnonzero(hashes[:, 0].any(axis=1))
    # High frequencies first: they tell images apart best.
    words = np.ascontiguousarray(hashes[usable]).view(np.uint64)[:, :, ::-1]
    keys = _band_keys(hashes[usable], n_bands=max(radius + 1, HASH_BITS // 16))
    found = [np.empty((3, 0), dtype=np.int64)]
    for band in range(keys.shape[2]):
        order = np.argsort(keys[:, 0, band], kind="stable")
        sizes = np.bincount(keys[:, 0, band], minlength=_BAND_VALUES)
        buckets = _Buckets(order, np.cumsum(sizes) - sizes, sizes, words[order, 0])
        for orientation in range(hashes.shape[1]):
            pairs = _search(keys[:, orientation, band], words[:, orientation], buckets, radius)
            # The plain hashes alone give the same distance both ways: a turned hash has a
            # median of its own, which moves a few bits.
            found.extend(pair[:, pair[0] != pair[1]] for pair in pairs)
    return _unique_pairs(np.concatenate(found, axis=1), usable)


@dataclass(frozen=True)
class _Buckets:
    """Images sorted by the value of one band of their plain hash."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    words: NDArray[np.uint64]


def _band_keys(hashes: NDArray[np.uint8], *, n_bands: int) -> NDArray[np.uint16]:
    """Give the value of each band of bits, shape (n_images, 8, n_bands).

    Neighbouring frequencies are correlated: dealt to the bands at random, brain images collide
    half as often.
    """
    bands = np.array_split(np.random.default_rng(0).permutation(HASH_BITS), n_bands)
    # A band of fewer than 16 bits repeats some of its own, which changes no collision.
    bits_of_keys = np.concatenate([np.resize(band, 16) for band in bands])
    keys = np.empty((len(hashes), 8, n_bands), dtype=np.uint16)
    for start in range(0, len(hashes), _ROWS):
        bits = np.unpackbits(hashes[start : start + _ROWS], axis=2)
        packed = np.packbits(bits[:, :, bits_of_keys], axis=2)
        keys[start : start + _ROWS] = np.ascontiguousarray(packed).view(np.uint16)
    return keys


def _search(
    keys: NDArray[np.uint16], words: NDArray[np.uint64], buckets: _Buckets, radius: int
) -> Iterator[NDArray[np.int64]]:
    """Compare each image with those in its bucket: yields (image, other, distance) columns."""
    counts = buckets.sizes[keys]
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(keys):
        done = ends[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
        size = counts[begin:stop]
        offset = buckets.starts[keys[begin:stop]] - (ends[begin:stop] - size - done)
        place = np.arange(ends[stop - 1] - done) + np.repeat(offset, size)
        # Nearly all candidates differ too much in the first 64 bits already.
        first = _count_bits(np.repeat(words[begin:stop, 0], size) ^ buckets.words[place, 0])
        hopeful = np.flatnonzero(first <= radius)
        place = place[hopeful]
        query = np.repeat(np.arange(begin, stop), size)[hopeful]
        distance = first[hopeful].astype(np.int64)
        for word in range(1, words.shape[1]):
            distance += _count_bits(words[query, word] ^ buckets.words[place, word])
        near = distance <= radius
        yield np.stack([query[near], buckets.order[place[near]], distance[near]])
        begin = stop


def _count_bits(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    if hasattr(np, "bitwise_count"):
        return np.asarray(np.bitwise_count(values))
    # NumPy 1 has no such function.
    quarters = values.view(np.uint16).reshape(len(values), 4)
    return np.asarray(_BITS_OF_16[quarters].sum(axis=1, dtype=np.uint8))


_BITS_OF_16 = (
    np.unpackbits(np.arange(65536, dtype=np.uint16).view(np.uint8))
    .reshape(-1, 16)
    .sum(axis=1, dtype=np.uint8)
)


def _unique_pairs(found: NDArray[np.int64], names: NDArray[np.int64]) -> NearPairs:
    """Keep each pair once, at its smallest distance."""
    low = names[np.minimum(found[0], found[1])]
    high = names[np.maximum(found[0], found[1])]
    order = np.lexsort([found[2], high, low])
    low, high, distance = low[order], high[order], found[2][order]
    new = np.ones(len(low), dtype=bool)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return NearPairs(low[new], high[new], distance[new])


def connected_groups(n: int, first: ArrayLike, second: ArrayLike) -> NDArray[np.int64]:
    """Join linked images into numbered groups.

    Parameters
    ----------
    n : int
        Number of images.
    first, second : array_like of int, shape (n_links,)
        Images at the two ends of each link.

    Returns
    -------
    ndarray of int64, shape (n,)
        Group of each image, numbered from 0 in order of first appearance.

    Examples
    --------
    >>> connected_groups(5, [0, 3], [4, 4])
    array([0, 1, 2, 0, 0])
    """
    parent = list(range(n))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in zip(np.asarray(first).tolist(), np.asarray(second).tolist(), strict=True):
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    roots = [root(item) for item in range(n)]
    return np.unique(roots, return_inverse=True)[1].astype(np.int64) if n else np.zeros(0, int)


def links_of(values: Sequence[object]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Link each image to the first one with the same value; None links nothing.

    Examples
    --------
    >>> links_of(["a", None, "a", None])
    (array([0]), array([2]))
    """
    first: dict[object, int] = {}
    links = [
        (first[value], item)
        for item, value in enumerate(values)
        if value is not None and first.setdefault(value, item) != item
    ]
    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    return ends[:, 0], ends[:, 1]


def duplicate_links(
    content_hashes: Sequence[str], hashes: NDArray[np.uint8], *, radius: int = NEAR_RADIUS
) -> NearPairs:
    """Find the links that join identical images and near-duplicates into groups.

    Parameters
    ----------
    content_hashes : sequence of str
        Hash of each image's pixels.
    hashes : ndarray of uint8, shape (n_images, 8, 32)
        As `perceptual_hashes` gives them.
    radius : int, default=16
        Largest distance in bits of a near-duplicate.

    Returns
    -------
    NearPairs
        Images with the same hash are linked to the first of them only, and only that one to
        its neighbours: a thousand copies of a file would make a million pairs.
    """
    if len(content_hashes) == 0:
        return _unique_pairs(np.empty((3, 0), dtype=np.int64), np.empty(0, dtype=np.int64))
    distinct, original, copies_of = np.unique(
        np.ascontiguousarray(hashes).reshape(len(hashes), -1).view("V256").ravel(),
        return_index=True,
        return_inverse=True,
    )
    near = near_pairs(distinct.view(np.uint8).reshape(-1, *hashes.shape[1:]), radius=radius)
    contrast = np.count_nonzero(hashes[:, 0], axis=1).tolist()
    names = [
        copy if bits else None for copy, bits in zip(copies_of.tolist(), contrast, strict=True)
    ]
    same = np.concatenate([links_of(names), links_of(content_hashes)], axis=1)
    links = np.concatenate(
        [
            np.stack([*same, np.zeros_like(same[0])]),
            np.stack([original[near.first], original[near.second], near.distance]),
        ],
        axis=1,
    )
    return _unique_pairs(links, np.arange(len(hashes)))


def group_duplicates(
    content_hashes: Sequence[str], hashes: NDArray[np.uint8], *, radius: int = NEAR_RADIUS
) -> NDArray[np.int64]:
    """Group images that are identical or near-duplicates.

    Parameters
    ----------
    content_hashes, hashes, radius
        As in `duplicate_links`.

    Returns
    -------
    ndarray of int64, shape (n_images,)
        Group of each image. A chain of near pairs is one group.

    Examples
    --------
    >>> from mri_tumor import make_phantoms
    >>> from mri_tumor.data import fingerprint_image, perceptual_hashes
    >>> first, other = make_phantoms(2, size=64).images
    >>> found = [fingerprint_image(image) for image in (first, first.T.copy(), other)]
    >>> hashes = perceptual_hashes(np.stack([one.coefficients for one in found]))
    >>> group_duplicates([one.pixels for one in found], hashes)
    array([0, 0, 1])
    """
    links = duplicate_links(content_hashes, hashes, radius=radius)
    return connected_groups(len(content_hashes), links.first, links.second)
