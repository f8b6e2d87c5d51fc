"""What the fuzzers found, and a few mutants of every kind in every run."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fuzz_readers import NAME, case_of, clarity, outcome
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID
from scan_samples import SYNTAXES, dicom, mr_dataset, pages, ramp, samples, written

from mri_tumor.errors import ImageError
from mri_tumor.images import is_volume, read_image, read_volume

SAMPLES = samples()
MAGIC = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"GIF89a", b"RIFF\0\0\0\0WEBP"]
MAGIC += [
    b"BM" + bytes(12) + b"\x28\0\0\0",
    bytes(128) + b"DICM",
    b"\x1f\x8b\x08",
    b"\x08\0\x05\0",
]


@pytest.mark.parametrize("reader", SAMPLES)
def test_mutants_are_read_or_refused_in_words(reader):
    for number in range(60):
        kind, words = outcome(*case_of(reader, SAMPLES[reader], "tests", number))
        assert kind in ("read", "refused"), f"{reader} {number}: {words}"


def test_an_empty_compressed_frame():
    made = mr_dataset(ramp())
    made.file_meta.TransferSyntaxUID = UID(SYNTAXES["RLE"])
    made.PixelData = b"\xfe\xff\x00\xe0" + bytes(4) + b"\xfe\xff\x00\xe0" + bytes(4)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    with pytest.raises(ImageError, match="ends early"):
        read_image(written(made))


def test_rle_that_lacks_its_last_byte():
    # A zero in its place would pass for it.
    data = dicom(ramp(dtype=np.uint16) * 9, "RLE")
    end = data.rindex(b"\xfe\xff\xdd\xe0")
    for less, words in ((1, "ends early"), (2, "damaged pixel data"), (3, "ends early")):
        with pytest.raises(ImageError, match=words):
            read_image(data[: end - less])


def test_an_animation_cut_between_two_frames():
    data = pages("GIF")
    starts = [at for at in range(len(data)) if data[at : at + 2] == b"\x21\xf9"]
    with pytest.raises(ImageError, match="ends early"):
        read_image(data[: starts[-2]])
    with pytest.raises(ImageError, match="ends early"):
        read_volume(data[: starts[-1]])


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(MAGIC), st.binary(max_size=600))
def test_any_bytes_are_refused_in_words(magic, rest):
    data = magic + rest or b"?"
    for door in (read_image, read_volume):
        try:
            door(data, name=NAME)
        except ImageError as error:
            assert clarity(str(error)) is None, str(error)  # noqa: PT017
    assert is_volume(data) in (True, False)


def test_many_threads_read_what_one_does():
    """Warnings, loggers and decoders are shared by the whole process."""
    jobs = [(data, page) for kind in SAMPLES.values() for data in kind for page in (0, 1, 5)] * 3

    def read(job):
        try:
            return read_image(job[0], page=job[1], volume=None)
        except ImageError as error:
            return str(error)

    expected = [read(job) for job in jobs]
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        for got, wanted in zip(pool.map(read, jobs), expected, strict=True):
            assert type(got) is type(wanted)
            assert np.array_equal(got, wanted)
    assert list(warnings.filters) == before


def test_one_volume_is_read_by_many_threads():
    for reader, index in (("nifti", 0), ("nifti-gz", 0), ("dicom", 4), ("dicom-packed", 4)):
        data = SAMPLES[reader][index]
        with read_volume(data, plane="coronal" if "nifti" in reader else None) as volume:
            expected = list(volume)
            wanted = list(range(len(volume))) * 10
            with ThreadPoolExecutor(8) as pool:
                for number, got in zip(wanted, pool.map(volume.__getitem__, wanted), strict=True):
                    np.testing.assert_array_equal(got, expected[number])
