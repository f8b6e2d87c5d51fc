"""NIfTI: any orientation, any plane, read lazily, and bounded."""

import gzip
import io
import sys
import tracemalloc
from contextlib import contextmanager
from functools import partial

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, ornt_transform
from scan_samples import nifti

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.images import is_volume, read_image, read_volume

# Canonical axes: right, anterior, superior. Every voxel differs from its neighbours.
BODY = (np.arange(20)[:, None, None] * 400 + np.arange(24)[None, :, None] * 16).astype(
    np.int16
) + np.arange(18, dtype=np.int16)[None, None, :]


def scaled(values, body):
    low, high = float(body.min()), float(body.max())
    return np.floor((values - low) / (high - low) * 255 + 0.5)


def seen(plane, number, body=BODY):
    """The slice as a radiologist sees it, by its definition."""
    grey = partial(scaled, body=body)
    if plane == "axial":  # from the feet, the face up
        return grey(
            np.array([[body[x, y, number] for x in range(19, -1, -1)] for y in range(23, -1, -1)])
        )
    if plane == "coronal":  # face to face
        return grey(
            np.array([[body[x, number, z] for x in range(19, -1, -1)] for z in range(17, -1, -1)])
        )
    # the face to the left
    return grey(
        np.array([[body[number, y, z] for y in range(23, -1, -1)] for z in range(17, -1, -1)])
    )


ORIENTATIONS = ["RAS", "LPS", "LAS", "PIR", "ASL", "SRA", "ILP", "SPR"]


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_every_stored_orientation_shows_the_same_body(codes, plane):
    turn = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    stored = apply_orientation(BODY, turn)
    affine = inv_ornt_aff(turn, BODY.shape)
    assert nibabel.aff2axcodes(affine) == tuple(codes)
    data = nifti(stored, affine)
    with read_volume(data, plane=plane, window="range") as volume:
        assert len(volume) == BODY.shape[("sagittal", "coronal", "axial").index(plane)]
        for number in (0, 7, len(volume) - 1):
            np.testing.assert_array_equal(volume[number], seen(plane, number))


def test_the_neurological_convention_mirrors_what_is_left_and_right():
    data = nifti(BODY)
    for plane in ("axial", "coronal"):
        ours = read_image(data, plane=plane, page=3, convention="neurological")
        np.testing.assert_array_equal(ours, read_image(data, plane=plane, page=3)[:, ::-1])
    np.testing.assert_array_equal(
        read_image(data, plane="sagittal", page=3, convention="neurological"),
        read_image(data, plane="sagittal", page=3),
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_slices_and_pages_agree_and_window_is_of_the_volume(packed, plane, tmp_path):
    path = tmp_path / "brain.img"  # the content decides
    path.write_bytes(nifti(BODY, packed=packed))
    volume = read_volume(path, plane=plane)
    assert volume.plane == plane
    assert is_volume(path)
    for number, got in enumerate(volume):
        np.testing.assert_array_equal(got, read_image(path, plane=plane, page=number))
    np.testing.assert_array_equal(volume[-1], volume[len(volume) - 1])
    with pytest.raises(IndexError, match="no slice"):
        volume[len(volume)]
    volume.close()
    volume.close()
    with pytest.raises(ImageError, match="has been closed"):
        volume[0]


def test_a_volume_needs_a_choice():
    with pytest.raises(ImageError, match=r"holds 18 axial slices.*Pass page=9 for the middle"):
        read_image(nifti(BODY))
    with pytest.raises(ImageError, match="no page 18: it holds 18 slices"):
        read_image(nifti(BODY), page=18)
    flat = nifti(BODY[:, :, :1])
    np.testing.assert_array_equal(
        read_image(flat, window="range"), seen("axial", 0, BODY[:, :, :1])
    )


def test_four_dimensions():
    both = np.stack([BODY, BODY[::-1]], axis=-1)
    for packed in (False, True):
        data = nifti(both, packed=packed)
        with pytest.raises(ImageError, match=r"holds 2 volumes.*volume=0"):
            read_volume(data)
        with read_volume(data, volume=1, window="range") as volume:
            np.testing.assert_array_equal(volume[4], seen("axial", 4, BODY[::-1]))
        with pytest.raises(ImageError, match="no volume 2: it holds 2"):
            read_volume(data, volume=2)
    np.testing.assert_array_equal(
        read_image(nifti(BODY[..., None]), page=2), read_image(nifti(BODY), page=2)
    )
    with pytest.raises(ImageError, match="5 dimensions"):
        read_volume(nifti(np.zeros((4, 4, 4, 1, 3), np.float32)))


@pytest.mark.parametrize(
    "dtype",
    [np.uint8, np.int8, np.uint16, np.int16, np.int32, np.uint32, np.float32, np.float64],
)
def test_types_and_scaling_do_not_change_the_picture(dtype):
    body = np.round(BODY / 80.0).astype(np.int16)
    stored = body.astype(dtype)
    expected = read_image(nifti(body), page=5)
    np.testing.assert_array_equal(read_image(nifti(stored), page=5), expected)
    big = nibabel.Nifti1Header(endianness=">")
    big.set_data_dtype(np.dtype(dtype).newbyteorder(">"))
    np.testing.assert_array_equal(read_image(nifti(stored, header=big), page=5), expected)
    two = nifti(stored.astype(np.int16), kind=nibabel.Nifti2Image)
    np.testing.assert_array_equal(read_image(two, page=5), expected)


def test_slope_and_intercept():
    data = bytearray(nifti(BODY))
    data[112:120] = np.array([-0.5, 20], "<f4").tobytes()
    got = read_image(bytes(data), page=3, window=(-200, 20))
    values = seen("axial", 3) * 0  # shape only
    expected = np.clip((BODY[::-1, ::-1, 3].T * -0.5 + 20 + 200) / 220, 0, 1)
    np.testing.assert_array_equal(got, np.floor(expected * 255 + 0.5) + values)


def test_nan_is_black_and_infinity_refused():
    values = BODY.astype(np.float32)
    values[:, :, 3:] += 50
    values[3, 4, 3] = np.nan
    got = read_image(nifti(values), page=3)
    assert got[23 - 4, 19 - 3] == 0
    values[3, 4, 3] = np.inf
    with pytest.raises(ImageError, match="infinite"):
        read_image(nifti(values), page=3)
    with pytest.raises(ImageError, match="NaN only"):
        read_volume(nifti(np.full((20, 20, 20), np.nan, np.float32)))


def test_colour_and_complex():
    colour = np.zeros((20, 24, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colour["R"] = 255
    assert np.unique(read_image(nifti(colour), page=0)).tolist() == [76]
    with pytest.raises(ImageError, match="complex"):
        read_volume(nifti(np.zeros((20, 20, 3), np.complex64)))


def test_pixels_are_made_square():
    data = nifti(BODY, np.diag([1, 1, 2.5, 1]))
    with read_volume(data, plane="coronal") as volume:
        assert volume[0].shape == (45, 20)
        assert volume.spacing == (1, 1, 1)
    with read_volume(data, plane="coronal", square_pixels=False) as volume:
        assert volume[0].shape == (18, 20)
        assert volume.spacing == (1, 2.5, 1)
    assert read_volume(data)[0].shape == (24, 20)
    trap = nifti(BODY, np.diag([1e-12, 1, 1, 1]))
    with pytest.raises(ImageError, match="cannot be right"):
        read_image(trap, page=0)


def test_units():
    with read_volume(nifti(BODY, np.diag([5e-4, 5e-4, 2e-3, 1]), xyzt_units=1)) as volume:
        assert volume.spacing == pytest.approx((2, 0.5, 0.5))


@contextmanager
def at_most(limit):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def patched(offset, kind, *values):
    data = bytearray(nifti(BODY))
    piece = np.array(values, kind).tobytes()
    data[offset : offset + len(piece)] = piece
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (nifti(BODY)[:-1], "truncated"),
        (nifti(BODY)[:400], "truncated"),
        (nifti(BODY)[:345], "no image"),
        (nifti(BODY, packed=True)[:-20], "truncated"),
        (nifti(BODY, packed=True)[:90], "gzip|truncated"),
        (gzip.compress(nifti(BODY)[:-1]), "truncated"),
        (patched(42, "<i2", 30_000, 30_000, 30_000), "30,000 x 30,000 x 30,000 voxels"),
        (patched(42, "<i2", -5), "voxels"),
        (patched(42, "<i2", 0), "voxels"),
        (patched(70, "<i2", 77), "damaged header"),
        (patched(280, "<f4", *[np.nan] * 12), "damaged orientation"),
        (patched(280, "<f4", *[0] * 12), "damaged orientation"),
        (patched(344, "S4", b"ni1"), "NIfTI pair"),
        (patched(116, "<f4", np.inf), "damaged header"),
    ],
)
def test_damage(data, words):
    with pytest.raises(ImageError, match=words):
        read_volume(data)


def test_a_damaged_checksum_is_noticed():
    data = bytearray(nifti(BODY, packed=True))
    data[-6] ^= 0xFF
    with pytest.raises(ImageError, match="damaged"):
        read_volume(bytes(data))


def test_bombs_are_refused_by_their_header():
    """A gigabyte of zeros packs to a megabyte; only its header is unpacked."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((2000, 2000, 500))
    header.set_data_dtype(np.int16)
    head = bytes(header.binaryblock[:344]) + b"n+1\x00" + b"\0" * 4
    bomb = gzip.compress(head + b"\0" * 20_000_000)
    with (
        at_most(10_000_000),
        pytest.raises(ImageError, match=r"4,000,000,352 bytes once unpacked, over the limit"),
    ):
        read_volume(bomb, max_volume_bytes=2**31)
    with pytest.raises(ImageError, match="2,000 x 2,000 pixels"):
        read_volume(large_plane(), max_pixels=10**6)


def large_plane():
    header = nibabel.Nifti1Header()
    header.set_data_shape((2000, 2000, 1))
    header.set_data_dtype(np.uint8)
    return bytes(header.binaryblock[:344]) + b"n+1\x00" + b"\0" * (4 + 4_000_000)


def test_trailing_zeros_are_not_unpacked_for_ever():
    data = gzip.compress(nifti(BODY) + b"\0" * 50_000_000, 1)
    with at_most(10_000_000):
        read_volume(data).close()


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_slices_are_read_lazily(tmp_path, plane):
    path = tmp_path / "large.nii"
    shape = (128, 128, 800)
    with path.open("wb") as file:
        header = nibabel.Nifti1Header()
        header.set_data_shape(shape)
        header.set_data_dtype(np.int16)
        file.write(bytes(header.binaryblock[:344]) + b"n+1\x00" + b"\0" * 4)
        file.truncate(352 + 2 * 128 * 128 * 800)  # 26 MB of zeros
    with at_most(16_000_000), read_volume(path, plane=plane) as volume:
        for number in range(0, len(volume), 40):
            assert not volume[number].any()


def test_a_large_packed_volume_goes_through_a_scratch_file(monkeypatch):
    monkeypatch.setattr("mri_tumor.images.stores._IN_MEMORY", 1000)
    data = nifti(BODY, packed=True)
    with read_volume(io.BytesIO(data), window="range") as volume:
        np.testing.assert_array_equal(volume[7], seen("axial", 7))
    forgotten = read_volume(data)
    del forgotten  # a file left open would be a warning, hence an error here


def test_extensions_are_not_looked_into():
    """They may hold a whole DICOM header."""
    image = nibabel.Nifti1Image(BODY, np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"\xff" * 3000))
    np.testing.assert_array_equal(
        read_image(image.to_bytes(), page=2), read_image(nifti(BODY), page=2)
    )


@pytest.mark.parametrize("plane", ["front", 3, "Axial"])
def test_planes_are_checked(plane):
    with pytest.raises(ParameterError, match="plane"):
        read_volume(nifti(BODY), plane=plane)


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(16, 40), st.integers(16, 40), st.integers(16, 40)),
    st.permutations([0, 1, 2]),
    st.tuples(*[st.sampled_from([1, -1])] * 3),
    st.sampled_from(["axial", "coronal", "sagittal"]),
    st.integers(0, 2**32 - 1),
)
def test_any_axes_agree_with_nibabel_s_canonical_image(shape, order, signs, plane, seed):
    values = np.random.default_rng(seed).integers(0, 255, shape, dtype=np.uint8)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[order] * signs
    canonical = np.asarray(
        nibabel.as_closest_canonical(nibabel.Nifti1Image(values, affine)).dataobj
    )
    stacked = ("sagittal", "coronal", "axial").index(plane)
    with read_volume(nifti(values, affine), plane=plane, window=(0, 255)) as volume:
        for number in (0, len(volume) - 1):
            flat = canonical.take(number, axis=stacked)
            np.testing.assert_array_equal(volume[number], flat.T[::-1, ::-1])


def test_a_reader_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel.nifti1", None)
    with pytest.raises(ImageError, match=r"nibabel is not installed.*pip install nibabel`"):
        read_image(nifti(BODY, np.eye(4)), volume=0)
