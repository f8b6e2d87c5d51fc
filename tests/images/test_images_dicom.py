"""DICOM: shown as a viewer shows it, refused in words, and no word of the patient."""

import io
import logging
import struct
import sys
import warnings
import zlib

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID
from scan_samples import (
    SECRET,
    SYNTAXES,
    dicom,
    enhanced,
    jpeg_lossless,
    mr_dataset,
    palette,
    ramp,
    saved,
    table,
    written,
)

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.images import is_volume, read_image, read_volume
from mri_tumor.images.codestream import jpeg2000_size, jpeg_size, rle_is_bounded

DEEP = ramp(dtype=np.uint16) * 9
ALL = {"WindowCenter": 842, "WindowWidth": 1685}  # 0 to 1684: all of DEEP
SHOWN = np.floor(DEEP / DEEP.max() * 255 + 0.5)


@pytest.fixture(autouse=True)
def nothing_about_the_patient(caplog, capfd):
    """Fail a test in which the patient's name comes out anywhere."""
    caplog.set_level(logging.DEBUG)
    yield
    assert SECRET not in caplog.text
    out, err = capfd.readouterr()
    assert SECRET not in out + err


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_every_encoding_gives_the_same_picture(syntax):
    if syntax == "JPEG":  # 8 bits, lossy
        got = read_image(dicom(ramp(), syntax)).astype(int)
        assert np.abs(got - ramp()).max() <= 4
        return
    np.testing.assert_array_equal(read_image(dicom(DEEP, syntax), window="range"), SHOWN)


def test_twelve_bits_in_sixteen():
    values = np.clip(DEEP * 2, 0, 4095)
    got = read_image(dicom(values, BitsStored=12, HighBit=11), window=(0, 4095))
    np.testing.assert_array_equal(got, np.floor(values / 4095 * 255 + 0.5))


def test_signed_values():
    values = DEEP.astype(np.int16) - 800
    got = read_image(dicom(values), window="range")
    np.testing.assert_array_equal(got, SHOWN)


def test_without_a_window_the_percentile_decides():
    values = DEEP.copy()
    values[5, 5] = 60_000
    got = read_image(dicom(values))
    assert got[5, 5] == 255
    high = np.percentile(values, 99.9)
    np.testing.assert_array_equal(got, np.floor(np.clip(values / high, 0, 1) * 255 + 0.5))


def test_eight_bits_without_a_window_are_left_as_they_are():
    np.testing.assert_array_equal(read_image(dicom(ramp())), ramp())


def expected_linear(x, center, width):
    """The pseudo-code of DICOM PS3.3, C.11.2.1.2.1."""
    y = np.empty(x.shape)
    below = x <= center - 0.5 - (width - 1) / 2
    above = x > center - 0.5 + (width - 1) / 2
    y[:] = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
    y[below], y[above] = 0, 255
    return np.floor(y + 0.5)


@pytest.mark.parametrize(("center", "width"), [(800, 1000), (300.5, 2), (40, 5000), (900, 300)])
def test_linear_window(center, width):
    got = read_image(dicom(DEEP, WindowCenter=center, WindowWidth=width))
    np.testing.assert_array_equal(got, expected_linear(DEEP.astype(float), center, width))


def test_window_of_width_one_is_a_threshold():
    got = read_image(dicom(DEEP, WindowCenter=900, WindowWidth=1))
    np.testing.assert_array_equal(got, np.where(DEEP > 899.5, 255, 0))


def test_exact_and_sigmoid_windows():
    exact = read_image(
        dicom(DEEP, WindowCenter=800, WindowWidth=1000, VOILUTFunction="LINEAR_EXACT")
    )
    expected = np.floor(np.clip((DEEP - 800.0) / 1000 + 0.5, 0, 1) * 255 + 0.5)
    np.testing.assert_array_equal(exact, expected)
    curve = read_image(dicom(DEEP, WindowCenter=800, WindowWidth=1000, VOILUTFunction="SIGMOID"))
    expected = np.floor(255 / (1 + np.exp(-4 * (DEEP - 800.0) / 1000)) + 0.5)
    np.testing.assert_array_equal(curve, expected)


def test_several_windows():
    data = dicom(DEEP, WindowCenter=[800, 400], WindowWidth=[1000, 200])
    np.testing.assert_array_equal(read_image(data), expected_linear(DEEP.astype(float), 800, 1000))
    np.testing.assert_array_equal(
        read_image(data, voi=1), expected_linear(DEEP.astype(float), 400, 200)
    )
    with pytest.raises(ImageError, match="no window 2"):
        read_image(data, voi=2)


@pytest.mark.parametrize("width", [0, -5])
def test_impossible_windows_count_as_none(width):
    np.testing.assert_array_equal(
        read_image(dicom(DEEP, WindowCenter=800, WindowWidth=width)), read_image(dicom(DEEP))
    )


def test_a_window_that_shows_nothing_counts_as_none():
    np.testing.assert_array_equal(
        read_image(dicom(DEEP, WindowCenter=-30_000, WindowWidth=10)), read_image(dicom(DEEP))
    )


def test_the_window_refers_to_rescaled_values():
    data = dicom(DEEP, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=1500, WindowWidth=2001)
    expected = expected_linear(DEEP * 2.0 - 100, 1500, 2001)
    np.testing.assert_array_equal(read_image(data), expected)
    # A slope of zero would wipe the picture out.
    np.testing.assert_array_equal(read_image(dicom(DEEP, RescaleSlope=0)), read_image(dicom(DEEP)))


def test_monochrome1_is_inverted():
    data = dicom(DEEP, PhotometricInterpretation="MONOCHROME1", **ALL)
    np.testing.assert_array_equal(read_image(data), 255 - read_image(dicom(DEEP, **ALL)))


def test_padding_is_black_and_does_not_count():
    values = DEEP.astype(np.int16) + 100
    values[:4] = -2000
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        got = read_image(
            dicom(values, PixelPaddingValue=-2000, PhotometricInterpretation=photometric)
        )
        assert not got[:4].any()
        assert got[4:].max() > 250
        assert got[4:].min() < 5


def test_lookup_tables():
    curve = np.minimum(np.arange(300) * 2, 255)
    got = read_image(dicom(ramp(), VOILUTSequence=table(curve)))
    np.testing.assert_array_equal(got, curve[ramp()])
    item = table(np.arange(256)[::-1])
    item[0].ModalityLUTType = "US"
    got = read_image(dicom(ramp(), ModalityLUTSequence=item), window=(0, 255))
    np.testing.assert_array_equal(got, 255 - ramp())


def test_colour():
    colour = np.stack([ramp(), ramp() // 2, 255 - ramp()], axis=-1)
    luma = np.asarray(Image.fromarray(colour).convert("L"))
    np.testing.assert_array_equal(read_image(dicom(colour)), luma)
    np.testing.assert_array_equal(read_image(dicom(colour, "RLE")), luma)
    planes = dicom(colour, PlanarConfiguration=0)
    np.testing.assert_array_equal(read_image(planes), luma)


def test_palette_colour():
    got = read_image(dicom(ramp(), **palette()))
    colour = np.stack([ramp(), 255 - ramp(), 0 * ramp()], axis=-1)
    np.testing.assert_array_equal(got, np.asarray(Image.fromarray(colour).convert("L")))


@pytest.mark.parametrize("syntax", ["explicit", "RLE", "JPEG 2000"])
def test_frames(syntax):
    frames = np.stack([DEEP, DEEP[::-1], DEEP // 2])
    data = dicom(frames, syntax, **ALL)
    assert is_volume(data)
    with pytest.raises(ImageError, match="3 frames, and which to read is not said"):
        read_image(data)
    volume = read_volume(data)
    assert len(volume) == 3
    for page, frame in enumerate(frames):
        expected = expected_linear(frame.astype(float), 842, 1685)
        np.testing.assert_array_equal(read_image(data, page=page), expected)
        np.testing.assert_array_equal(volume[page], expected)
    with pytest.raises(ImageError, match="no page 3: it holds 3"):
        read_image(data, page=3)


def test_frames_share_their_percentiles():
    frames = np.stack([DEEP, DEEP // 10])
    bright, dark = read_volume(dicom(frames))
    assert bright.max() == 255
    assert dark.max() < 30
    np.testing.assert_array_equal(read_image(dicom(frames), page=1), dark)


def test_enhanced_files():
    frames = np.stack([DEEP, DEEP])
    with read_volume(enhanced(frames), square_pixels=False) as volume:
        for at in range(2):
            expected = expected_linear(DEEP * 2.0, 842 * (at + 1), 1685)
            np.testing.assert_array_equal(volume[at], expected)
        assert volume.plane == "coronal"
        assert volume.spacing == (3.0, 1.0, 0.5)
    assert read_image(enhanced(frames), page=0).shape == (64, 48)
    with pytest.raises(ImageError, match="acquired in the coronal plane"):
        read_volume(enhanced(frames), plane="axial")


@pytest.mark.parametrize(
    ("tags", "shape"),
    [
        ({"PixelSpacing": [0.9, 0.9]}, (32, 48)),
        ({"PixelSpacing": [0.9, 0.905]}, (32, 48)),
        ({"PixelSpacing": [2.0, 1.0]}, (64, 48)),
        ({"PixelSpacing": [1.0, 1.5]}, (32, 72)),
        ({"PixelAspectRatio": [3, 2]}, (48, 48)),
        ({"PixelSpacing": [0.0, 1.0]}, (32, 48)),
    ],
)
def test_pixels_are_made_square(tags, shape):
    assert read_image(dicom(DEEP, **tags)).shape == shape
    assert read_image(dicom(DEEP, **tags), square_pixels=False).shape == (32, 48)


def test_impossible_spacing_is_refused():
    data = dicom(DEEP, PixelSpacing=[0.001, 5])
    with pytest.raises(ImageError, match=r"0\.001 x 5 mm, which cannot be right"):
        read_image(data)
    assert read_image(data, square_pixels=False).shape == (32, 48)


@pytest.mark.parametrize(
    ("modality", "words"),
    [
        ("CT", r"is CT \(computed tomography\), not MR.*allow_modality='CT'"),
        ("OT", r"is OT \(another kind\), not MR"),
        (SECRET[:16], r"is of another modality, not MR.*allow_modality='\*'"),
    ],
)
def test_other_modalities(modality, words):
    data = dicom(DEEP, Modality=modality)
    with pytest.raises(ImageError, match=words) as caught:
        read_image(data)
    assert SECRET not in str(caught.value)
    for allow in (modality, ["MR", modality], "*"):
        assert read_image(data, allow_modality=allow).shape == (32, 48)


def test_no_modality():
    assert read_image(dicom(DEEP, Modality=None)).shape == (32, 48)  # of the class MR
    other = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": ""}
    made = mr_dataset(DEEP, **other)
    made.PixelData = DEEP.tobytes()
    made["PixelData"].VR = "OW"
    with pytest.raises(ImageError, match="does not say of which modality"):
        read_image(written(made))


def without_pixels(**tags):
    made = mr_dataset(DEEP, **tags)
    for tag in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit"):
        delattr(made, tag)
    return written(made)


def test_what_has_no_picture():
    with pytest.raises(ImageError, match=r"of the kind SR \(a structured report\), without"):
        read_image(without_pixels(Modality="SR"))
    with pytest.raises(ImageError, match="no pixel data, or ends before them"):
        read_image(without_pixels(Modality="MR"))
    made = mr_dataset(DEEP, SOPClassUID="1.2.840.10008.1.3.10")
    with pytest.raises(ImageError, match="is a DICOMDIR"):
        read_image(written(made))


@pytest.mark.parametrize(
    "tag", ["Rows", "Columns", "BitsAllocated", "PixelRepresentation", "PhotometricInterpretation"]
)
def test_missing_tags_are_named(tag):
    with pytest.raises(ImageError, match=f"lacks the tag {tag}"):
        read_image(dicom(DEEP, **{tag: None}))


def test_tags_that_may_be_missing():
    data = dicom(DEEP, SamplesPerPixel=None, BitsStored=None, HighBit=None, SeriesInstanceUID=None)
    np.testing.assert_array_equal(read_image(data, window="range"), SHOWN)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Rows": 0}, "48 x 0 pixels"),
        ({"Rows": 65_535, "Columns": 65_535}, "65,535 x 65,535 pixels, over the limit"),
        ({"Rows": 33}, "ends early"),
        ({"NumberOfFrames": 2_000_000}, "2,000,000 frames"),
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"BitsStored": 17}, "17 bits in 16"),
        ({"BitsAllocated": 12}, "bits in 12"),
        ({"SamplesPerPixel": 3}, "contradicting tags about colour"),
        ({"PhotometricInterpretation": "RGB"}, "contradicting tags about colour"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, "mosaic of many slices"),
        ({"Rows": 8, "Columns": 16}, "too few for a slice"),
    ],
)
def test_contradictions(tags, words):
    with pytest.raises(ImageError, match=words):
        read_image(dicom(DEEP, **tags))


def test_without_its_preamble():
    made = mr_dataset(DEEP, **ALL)
    made.PixelData = DEEP.tobytes()
    made["PixelData"].VR = "OW"
    for implicit in (True, False):
        file = io.BytesIO()
        pydicom.dcmwrite(
            file,
            Dataset(made),
            implicit_vr=implicit,
            little_endian=True,
            enforce_file_format=False,
        )
        assert file.getvalue()[:2] == b"\x08\x00"
        np.testing.assert_array_equal(read_image(file.getvalue()), read_image(dicom(DEEP, **ALL)))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_cut_anywhere_it_is_refused_or_complete(syntax):
    pixels = ramp() if syntax == "JPEG" else DEEP
    data = dicom(pixels, syntax, **ALL)
    whole = read_image(data)
    refused = 0
    for end in range(1, len(data), max(1, len(data) // 80)):
        try:
            got = read_image(data[:end])
        except ImageError as error:
            refused += 1
            assert SECRET not in str(error)  # noqa: PT017
        else:
            np.testing.assert_array_equal(got, whole)
    assert refused > 60


def repacked(frame, syntax, rows=32, columns=48, bits=16, **tags):
    made = mr_dataset(np.zeros((rows, columns), np.uint16 if bits == 16 else np.uint8), **tags)
    made.file_meta.TransferSyntaxUID = UID(SYNTAXES[syntax])
    made.PixelData = encapsulate([frame])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    return written(made)


def test_a_bomb_within_modest_tags():
    """Decoders trust the size in the compressed picture."""
    big = saved(np.zeros((8000, 8000), np.uint8), "JPEG", quality=1)
    assert jpeg_size(big) == (8000, 8000, 1)
    with pytest.raises(ImageError, match="do not agree with its tags"):
        read_image(repacked(big, "JPEG", bits=8))
    lossless = jpeg_lossless(DEEP)
    read_image(repacked(lossless, "JPEG lossless"))
    huge = lossless.replace(struct.pack(">HH", 32, 48), struct.pack(">HH", 65_000, 65_000))
    with pytest.raises(ImageError, match="do not agree with its tags"):
        read_image(repacked(huge, "JPEG lossless"))
    codestream = struct.pack(
        ">HHHH9I", 0xFF4F, 0xFF51, 41, 0, 60_000, 60_000, *[0] * 2, *[60_000] * 2, *[0] * 2, 0
    )
    codestream += b"\x00\x01\x0f\x01\x01"
    with pytest.raises(ImageError, match="do not agree with its tags"):
        read_image(repacked(codestream, "JPEG 2000"))


def test_an_rle_bomb():
    """Two bytes of RLE unpack to 128."""
    header = struct.pack("<16I", 2, 64, 70, *[0] * 13)
    bomb = header + b"\x81\xff" * 3_000_000
    assert not rle_is_bounded(bomb, segment_bytes=32 * 48, free_bytes=2**28)
    assert rle_is_bounded(bomb, segment_bytes=2**30, free_bytes=2**28)
    with pytest.raises(ImageError, match="do not agree with its tags"):
        read_image(repacked(bomb, "RLE"))


def test_a_deflated_bomb():
    made = dicom(DEEP, "deflated")
    start = made.index(b"1.2.840.10008.1.2.1.99")
    meta = 144 + int.from_bytes(made[140:144], "little")
    assert start < meta
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = made[:meta] + packer.compress(b"\0" * 2**26) + packer.flush()
    with pytest.raises(ImageError, match="unpacks to more than the limit of 1,000,000"):
        read_image(bomb, max_bytes=1_000_000)


def test_a_header_without_end(monkeypatch):
    monkeypatch.setattr("mri_tumor.images.dicom_header._MAX_READS", 1000)
    element = struct.pack("<HH2sH", 8, 0x0060, b"CS", 0)
    with pytest.raises(ImageError, match="header of too many parts"):
        read_image(dicom(DEEP)[:132] + element * 1100)


def test_other_compressions():
    made = mr_dataset(DEEP)
    made.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")  # MPEG-4
    made.PixelData = encapsulate([b"\0" * 100])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    with pytest.raises(ImageError, match=r"not supported\. Decompress it first"):
        read_image(written(made))


def test_damaged_values_are_not_quoted():
    """Warnings and log lines of the parser quote what they find."""
    data = dicom(DEEP, PatientBirthDate=None)
    at = data.index(b"IS", data.index(b"\x20\x00\x13\x00"))
    broken = data[:at] + b"IS\x02\x00" + SECRET[:2].encode() + data[at + 6 :]
    assert read_image(broken).shape == (32, 48)
    with pytest.raises(ImageError, match="damaged tag WindowCenter") as caught:
        read_image(wrong_window())
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def wrong_window():
    data = dicom(DEEP, WindowCenter="1234567890", WindowWidth=1000)
    return data.replace(b"1234567890", SECRET[:10].encode())


def test_warnings_stay_inside(recwarn):
    warnings.simplefilter("always")
    read_image(dicom(DEEP, PixelSpacing=[1, 1]))
    read_image(dicom(DEEP, "RLE"))
    assert not recwarn.list


def test_sizes_of_compressed_pictures():
    assert jpeg_size(saved(ramp(), "JPEG")) == (48, 32, 1)
    assert jpeg_size(b"\xff\xd8\xff\xff\xff\xc0\x00\x0b\x08\x00\x10\x00\x20\x01") == (32, 16, 1)
    assert jpeg_size(b"\xff\xd8\xff\xda\x00\x0b") is None
    assert jpeg_size(b"") is None
    assert jpeg2000_size(saved(ramp(), "JPEG2000")) == (48, 32, 1)
    assert jpeg2000_size(saved(ramp(), "JPEG2000", no_jp2=True)) == (48, 32, 1)
    assert jpeg2000_size(b"\xff\x4f\xff\x51") is None
    assert jpeg2000_size(b"\x00\x00\x00\x0cjP  ") is None


def test_the_samples_of_pydicom():
    """Real files of many makers and encodings, where pydicom's own tests are installed."""
    folder = pydicom.data.get_testdata_file("MR_small.dcm", download=False)
    if folder is None:
        pytest.skip("pydicom is installed without its test files")
    from pathlib import Path

    folder = Path(folder).parent
    small = read_image(folder / "MR_small.dcm")
    assert small.shape == (64, 64)
    for twin in ("RLE", "bigendian", "implicit", "jp2klossless", "jpeg_ls_lossless", "padded"):
        np.testing.assert_array_equal(read_image(folder / f"MR_small_{twin}.dcm"), small)
    read = 0
    for path in sorted(folder.glob("*.dcm")):
        try:
            read += read_image(path, allow_modality="*", page=0).size > 0
        except ImageError as error:
            assert path.name in str(error)  # noqa: PT017
    assert read > 40


@pytest.mark.parametrize("allow", [None, [], [3], 5])
def test_modalities_are_words(allow):
    with pytest.raises(ParameterError, match="allow_modality"):
        read_image(dicom(DEEP), allow_modality=allow)


def test_readers_that_are_not_installed_are_named(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pydicom.filereader", None)
        with pytest.raises(ImageError, match=r"pydicom is not installed.*pip install pydicom"):
            read_image(dicom(ramp()))
    decoder = pydicom.pixels.get_decoder(UID(SYNTAXES["JPEG lossless"]))
    monkeypatch.setattr(decoder, "_available", {})
    with pytest.raises(ImageError, match=r"pylibjpeg is not installed.*pylibjpeg-libjpeg"):
        read_image(dicom(DEEP, "JPEG lossless"))
