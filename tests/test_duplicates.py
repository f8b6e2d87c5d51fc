"""Fingerprints and the search for near-duplicates."""

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mri_tumor.data import (
    connected_groups,
    duplicates,
    fingerprint_file,
    fingerprint_files,
    fingerprint_image,
    group_duplicates,
    near_pairs,
    perceptual_hashes,
)
from mri_tumor.errors import ImageError, ParameterError


def smooth_image(seed, shape=(96, 80)):
    """Draw a picture that is like no other: low frequencies at random."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize(shape[::-1], Image.Resampling.BICUBIC))


def hashes_of(images):
    return perceptual_hashes(np.stack([fingerprint_image(im).coefficients for im in images]))


def brute_force(hashes, radius):
    bits = np.unpackbits(hashes, axis=2).astype(int)
    one_way = (bits[:, None, None, 0] != bits[None]).sum(axis=3).min(axis=2)
    distance = np.minimum(one_way, one_way.T)
    first, second = np.nonzero(np.triu(distance <= radius, 1))
    return list(zip(first, second, distance[first, second], strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_hash_is_that_of_imagehash(seed):
    image = smooth_image(seed)
    reference = imagehash.phash(Image.fromarray(image), hash_size=16).hash.ravel()
    np.testing.assert_array_equal(np.unpackbits(hashes_of([image])[0, 0]), reference)


def test_orientations_are_the_hashes_of_turned_images():
    image = smooth_image(3)
    upright = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    turned = [np.ascontiguousarray(one) for one in [*upright, *(one.T for one in upright)]]
    expected = np.unpackbits(hashes_of(turned)[:, 0], axis=1)
    ours = np.unpackbits(hashes_of([image])[0], axis=1)
    # Pillow rounds between its two passes, which moves a bit or two of a transposed image.
    assert (ours[:4] == expected[:4]).all()
    for mine, image_of in zip(ours[4:], expected[4:], strict=True):
        assert (mine != image_of).sum() <= 6
        assert min((mine != other).sum() for other in expected[:4]) > 60


def test_pixel_hash_sees_pixels_and_shape_only(tmp_path):
    image = smooth_image(0, (64, 48))
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image).save(tmp_path / "b.bmp")
    png, bmp = fingerprint_file(tmp_path / "a.png"), fingerprint_file(tmp_path / "b.bmp")
    assert png.pixels == bmp.pixels == fingerprint_image(image).pixels
    assert png.file != bmp.file
    assert png.shape == (64, 48)
    assert fingerprint_image(image.reshape(48, 64)).pixels != png.pixels


def test_unreadable_files_come_back_as_errors_in_order(tmp_path):
    Image.fromarray(smooth_image(0)).save(tmp_path / "good.png")
    (tmp_path / "empty.png").touch()
    paths = [tmp_path / name for name in ("missing.png", "good.png", "empty.png")]
    calls = []
    missing, good, empty = fingerprint_files(paths, progress=lambda *done: calls.append(done))
    assert isinstance(missing, ImageError)
    assert "missing.png" in str(missing)
    assert good.shape == (96, 80)
    assert isinstance(empty, ImageError)
    assert calls == [(3, 3)]


@pytest.mark.parametrize("radius", [0, 5, 16, 24])
def test_search_finds_what_brute_force_finds(radius):
    rng = np.random.default_rng(radius)
    base = rng.normal(size=(40, 16, 16))
    noisy = base[rng.integers(0, 40, 200)] + rng.normal(size=(200, 16, 16)) * rng.uniform(
        0, 0.3, (200, 1, 1)
    )
    flipped = np.where(rng.random((200, 1, 1)) < 0.5, noisy.transpose(0, 2, 1), noisy)
    hashes = perceptual_hashes(flipped)
    found = near_pairs(hashes, radius=radius)
    pairs = list(zip(found.first, found.second, found.distance, strict=True))
    assert pairs == brute_force(hashes, radius)
    assert len(found) == len(pairs) > 0 or radius == 0


def test_small_blocks_and_old_numpy_change_nothing(monkeypatch):
    hashes = perceptual_hashes(
        np.random.default_rng(0).normal(size=(60, 4, 4)).repeat(16).reshape(-1, 16, 16)
    )
    hashes = np.concatenate([hashes, hashes])
    expected = near_pairs(hashes)
    monkeypatch.setattr(duplicates, "_BLOCK", 3)
    monkeypatch.setattr(duplicates, "_ROWS", 7)
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    again = near_pairs(hashes)
    np.testing.assert_array_equal(again.first, expected.first)
    np.testing.assert_array_equal(again.distance, expected.distance)
    assert len(again) >= 60


def test_mirrored_turned_and_recompressed_copies_are_one_group(tmp_path):
    image = smooth_image(1)
    Image.fromarray(image).save(tmp_path / "copy.jpg", quality=70)
    brighter = np.clip(image * 0.9 + 10, 0, 255).astype(np.uint8)
    smaller = np.asarray(Image.fromarray(image).resize((50, 60)))
    recompressed = np.asarray(Image.open(tmp_path / "copy.jpg"))
    copies = [np.rot90(image, k) for k in range(4)] + [image[:, ::-1], image.T]
    alike = [np.ascontiguousarray(c) for c in [*copies, brighter, smaller, recompressed]]
    images = [*alike, *(smooth_image(seed) for seed in range(10, 20))]
    prints = [fingerprint_image(one) for one in images]
    groups = group_duplicates([one.pixels for one in prints], hashes_of(images))
    assert groups.tolist() == [0] * 9 + list(range(1, 11))


def test_blank_images_are_alike_only_where_identical():
    black, grey = np.zeros((64, 64), np.uint8), np.full((64, 64), 90, np.uint8)
    noise = np.random.default_rng(0).integers(0, 2, (64, 64), dtype=np.uint8)
    images = [black, grey, noise, black.copy()]
    groups = group_duplicates([fingerprint_image(i).pixels for i in images], hashes_of(images))
    assert groups.tolist() == [0, 1, 2, 0]
    assert len(near_pairs(hashes_of(images))) == 0


def test_thousands_of_copies_are_grouped_at_once():
    hashes = np.repeat(hashes_of([smooth_image(0), smooth_image(1)]), 3000, axis=0)
    groups = group_duplicates([str(i) for i in range(6000)], hashes)
    assert groups.tolist() == [0] * 3000 + [1] * 3000


def test_nothing_to_group():
    assert group_duplicates([], np.zeros((0, 8, 32), np.uint8)).tolist() == []
    assert connected_groups(0, [], []).tolist() == []


@given(st.integers(1, 30), st.data())
@settings(max_examples=50)
def test_groups_are_the_connected_components(n, data):
    links = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    groups = connected_groups(n, [a for a, _ in links], [b for _, b in links])
    reach = np.eye(n, dtype=bool)
    for a, b in links:
        reach[a, b] = reach[b, a] = True
    for middle in range(n):
        reach |= reach[:, [middle]] & reach[[middle]]
    np.testing.assert_array_equal(groups[:, None] == groups, reach)
    assert list(dict.fromkeys(groups.tolist())) == list(range(groups.max() + 1))


def test_wrong_arguments():
    with pytest.raises(ParameterError, match="radius must be in"):
        near_pairs(np.zeros((2, 8, 32), np.uint8), radius=33)
    with pytest.raises(ParameterError, match=r"shape \(n, 8, 32\)"):
        near_pairs(np.zeros((2, 32), np.uint8))
