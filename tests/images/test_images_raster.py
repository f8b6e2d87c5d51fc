"""PNG, JPEG, TIFF, BMP, WebP and GIF: right pixels or one clear error."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.images import read_image


def ramp(height=40, width=60):
    """Grey image in which every corner differs, so that each turn shows."""
    rows, columns = np.mgrid[:height, :width]
    return (rows * 3 + columns * 2).astype(np.uint8)


def saved(image, kind, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("BMP", {}),
        ("GIF", {}),
        ("WebP", {"lossless": True}),
    ],
)
def test_lossless_kinds_give_the_pixels_back(kind, options):
    got = read_image(saved(ramp(), kind, **options))
    assert got.dtype == np.uint8
    assert got.flags.writeable
    np.testing.assert_array_equal(got, ramp())


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WebP", {})])
def test_lossy_kinds_come_close(kind, options):
    got = read_image(saved(ramp(), kind, **options)).astype(int)
    assert np.abs(got - ramp()).max() < 12


def test_neither_the_name_nor_the_door_matters(tmp_path):
    path = tmp_path / "scan.jpg"  # a PNG under a wrong name
    path.write_bytes(saved(ramp(), "PNG"))
    np.testing.assert_array_equal(read_image(path), ramp())
    np.testing.assert_array_equal(read_image(str(path)), ramp())
    with path.open("rb") as file:
        np.testing.assert_array_equal(read_image(file), ramp())
        assert not file.closed


def test_colour_becomes_bt601_luma():
    for red, green, blue, luma in [(255, 0, 0, 76), (0, 255, 0, 150), (0, 0, 255, 29)]:
        image = Image.new("RGB", (20, 20), (red, green, blue))
        for kind in ("PNG", "BMP", "TIFF"):
            assert np.unique(read_image(saved(image, kind))).tolist() == [luma]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_on_black(mode):
    grey = Image.fromarray(np.full((20, 20), 200, np.uint8))
    image = grey.convert(mode)
    alpha = np.zeros((20, 20), np.uint8)
    alpha[:, 10:] = 255
    alpha[:, 5:10] = 128
    image.putalpha(Image.fromarray(alpha))
    got = read_image(saved(image, "PNG"))
    assert got[0, 0] == 0
    assert got[0, 19] == 200
    assert abs(int(got[0, 7]) - 100) <= 1


def test_palettes_with_and_without_a_transparent_colour():
    image = Image.fromarray(ramp()).convert("P", palette=Image.Palette.ADAPTIVE)
    got = read_image(saved(image, "PNG"))
    assert np.abs(got.astype(int) - ramp()).max() <= 2
    dark = int(np.asarray(image)[39, 59])
    got = read_image(saved(image, "PNG", transparency=dark))
    assert got[39, 59] == 0
    assert got[20, 20] > 0


def test_one_bit_images():
    image = Image.fromarray(ramp() > 100)
    got = read_image(saved(image, "PNG"))
    assert set(np.unique(got)) == {0, 255}
    np.testing.assert_array_equal(got == 255, ramp() > 100)


def test_cmyk_jpeg():
    image = Image.new("CMYK", (32, 32), (0, 0, 0, 255 - 90))
    assert np.abs(read_image(saved(image, "JPEG", quality=95)).astype(int) - 90).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WebP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_s_orientation_is_applied(kind, orientation):
    # How the sensor's picture follows from the upright one, by the EXIF standard.
    stored = {
        1: ramp(),
        2: ramp()[:, ::-1],
        3: ramp()[::-1, ::-1],
        4: ramp()[::-1],
        5: ramp().T,
        6: np.rot90(ramp(), 1),
        7: ramp()[::-1, ::-1].T,
        8: np.rot90(ramp(), -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 98} if kind == "JPEG" else {}
    if kind == "WebP":
        options = {"lossless": True}
    data = saved(np.ascontiguousarray(stored), kind, exif=exif, **options)
    got = read_image(data)
    assert got.shape == ramp().shape
    assert np.abs(got.astype(int) - ramp()).max() < 10


def test_damaged_exif_does_not_matter():
    data = saved(ramp(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" + b"\xff" * 20)
    assert read_image(data).shape == ramp().shape


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_windowed_from_minimum_to_the_999th_permille(kind):
    values = np.zeros((50, 50), np.uint16)
    values[:, :] = np.arange(50) * 20 + 1000
    values[0, 0] = 60_000  # a hot pixel: 1 of 2,500 is less than 0.1%
    got = read_image(saved(values, kind))
    high = np.percentile(values, 99.9)
    expected = np.floor(np.clip((values - 1000.0) / (high - 1000.0), 0, 1) * 255 + 0.5)
    np.testing.assert_array_equal(got, expected)
    assert got[0, 0] == 255
    assert got[0, 49] > 200  # not darkened by the hot pixel
    full = read_image(saved(values, kind), window="range")
    assert full[0, 49] == round(980 / 59_000 * 255)
    pair = read_image(saved(values, kind), window=(1000, 1490))
    assert pair[1, 25] == 255
    assert pair[1, 0] == 0


def deep_png(colour_type, values):
    """Write 16-bit values, shape (h, w, channels), which Pillow cannot."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + name + body
        data += struct.pack(">I", zlib.crc32(name + body))
    return data


def deep_tiff(values):
    """Write 16-bit RGB, shape (h, w, 3)."""
    height, width, _ = values.shape
    pixels = values.astype("<u2").tobytes()
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, 1, 14), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(pixels))]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = 14 + len(pixels)
    head = struct.pack("<2sHI3H", b"II", 42, start, 16, 16, 16)
    return head + pixels + struct.pack("<H", len(tags)) + directory + b"\0" * 4


def test_several_channels_of_sixteen_bits_are_refused_and_one_is_not():
    # A scan of 12 bits: its upper bytes are 16 grey levels.
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    np.testing.assert_array_equal(
        read_image(deep_png(0, values[..., None])), read_image(saved(values, "PNG"))
    )
    for colour_type, channels in ((2, 3), (4, 2), (6, 4)):
        data = deep_png(colour_type, np.repeat(values[..., None], channels, axis=2))
        with pytest.raises(ImageError, match="several channels of 16 bits"):
            read_image(data)
    with pytest.raises(ImageError, match="several channels of 16 bits"):
        read_image(deep_tiff(np.repeat(values[..., None], 3, axis=2)))


def test_constant_deep_images_are_black():
    assert not read_image(saved(np.full((20, 20), 700, np.uint16), "PNG")).any()


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_float_and_int32_tiff(dtype):
    values = (ramp().astype(float) * 10).astype(dtype)
    got = read_image(saved(values, "TIFF"), window="range")
    np.testing.assert_array_equal(got, np.floor(ramp() / ramp().max() * 255 + 0.5))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(bad):
    values = ramp().astype(np.float32)
    values[3, 4] = bad
    with pytest.raises(ImageError, match="1 values that are NaN or infinite"):
        read_image(saved(values, "TIFF"))


def test_tiff_in_which_white_is_zero():
    """Pillow inverts those of 8 bits, on writing and reading, but no deeper ones."""
    ifd = TiffImagePlugin.ImageFileDirectory_v2()
    ifd[262] = 0
    data = saved(ramp(), "TIFF", tiffinfo=ifd)
    np.testing.assert_array_equal(read_image(data), ramp())
    data = saved(255 - ramp().astype(np.uint16), "TIFF", tiffinfo=ifd)
    with Image.open(io.BytesIO(data)) as image:
        assert image.tag_v2[262] == 0
    np.testing.assert_array_equal(
        read_image(data, window="range"), np.floor(ramp() / ramp().max() * 255 + 0.5)
    )


def pages(kind, n=3):
    images = [Image.fromarray(ramp() // (k + 1)) for k in range(n)]
    return saved(images[0], kind, save_all=True, append_images=images[1:])


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WebP"])
def test_several_pages_need_a_choice(kind):
    data = pages(kind)
    with pytest.raises(ImageError, match="several"):
        read_image(data)
    for page in range(3):
        got = read_image(data, page=page).astype(int)
        assert np.abs(got - ramp() // (page + 1)).max() <= (0 if kind in ("TIFF", "PNG") else 12)
    with pytest.raises(ImageError, match="no page 3: it holds 3"):
        read_image(data, page=3)


def test_page_0_of_a_single_image_is_the_image():
    np.testing.assert_array_equal(read_image(saved(ramp(), "PNG"), page=0), ramp())


@pytest.mark.parametrize("page", [-1, True, 1.5, "0"])
def test_pages_are_counted_by_integers(page):
    with pytest.raises(ParameterError, match="page"):
        read_image(saved(ramp(), "PNG"), page=page)


@pytest.mark.parametrize("window", ["best", (3, 3), (0, np.nan), 5, None, (1, 2, 3)])
def test_windows_are_checked(window):
    with pytest.raises(ParameterError, match="window"):
        read_image(saved(ramp(), "PNG"), window=window)


def bomb(side):
    """A valid PNG of that side, whose few bytes unpack to its square."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [8193, 12_000, 40_000, 2**31 - 1])
def test_bombs_are_refused_before_they_are_decoded(side, recwarn):
    warnings.simplefilter("always")
    with pytest.raises(ImageError, match="pixels"):
        read_image(bomb(side))
    assert not recwarn.list


def test_max_pixels_may_be_lowered_and_is_named():
    with pytest.raises(ImageError, match="60 x 40 pixels, over the limit of 2,399"):
        read_image(saved(ramp(), "PNG"), max_pixels=2399)
    read_image(saved(ramp(), "PNG"), max_pixels=2400)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WebP", "GIF"])
def test_a_file_cut_anywhere_is_refused_or_complete(kind):
    data = saved(ramp(), kind)
    whole = read_image(data)
    refused = 0
    for end in range(1, len(data), max(1, len(data) // 150)):
        try:
            got = read_image(data[:end])
        except ImageError as error:
            refused += 1
            assert "<bytes>" in str(error)  # noqa: PT017
        else:
            np.testing.assert_array_equal(got, whole)
    assert refused > 50


def test_a_truncated_file_is_called_so():
    with pytest.raises(ImageError, match=r"truncated.*again"):
        read_image(saved(ramp(), "JPEG")[:-200])


def test_small_pictures_are_no_slices():
    with pytest.raises(ImageError, match="15 x 40 pixels, too few"):
        read_image(saved(ramp()[:, :15], "PNG"))


def test_a_photo_with_a_preview_inside_is_one_image():
    image = Image.fromarray(ramp())
    data = saved(image, "MPO", save_all=True, append_images=[image.resize((20, 20))], quality=98)
    for page in (None, 0):
        assert np.abs(read_image(data, page=page).astype(int) - ramp()).max() < 8
    with pytest.raises(ImageError, match="no page 1: it is one photo"):
        read_image(data, page=1)


def test_less_common_colours():
    grey = Image.fromarray(ramp())
    lab = Image.merge("LAB", [grey, grey, grey])
    np.testing.assert_array_equal(read_image(saved(lab, "TIFF")), ramp())
    cmyk = Image.merge("CMYK", [Image.new("L", grey.size)] * 3 + [Image.fromarray(255 - ramp())])
    np.testing.assert_array_equal(read_image(saved(cmyk, "TIFF")), ramp())
    ycbcr = saved(grey.convert("RGB").convert("YCbCr"), "TIFF")
    assert np.abs(read_image(ycbcr).astype(int) - ramp()).max() <= 2


def test_every_tiff_compression():
    for compression in ("packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "lzma"):
        for dtype in (np.uint8, np.uint16):
            data = saved(ramp().astype(dtype), "TIFF", compression=compression)
            expected = ramp() if dtype == np.uint8 else np.floor(ramp() / ramp().max() * 255 + 0.5)
            np.testing.assert_array_equal(read_image(data, window="range"), expected)
    np.testing.assert_array_equal(read_image(saved(ramp(), "TIFF", big_tiff=True)), ramp())
