"""What is given to `read_image`: paths, bytes, streams, and what is no image at all."""

import io
import logging
import os
import sys
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from mri_tumor.errors import ImageError, ParameterError
from mri_tumor.images import is_volume, read_image
from mri_tumor.images.messages import shown
from mri_tumor.images.quiet import quiet_decoders
from mri_tumor.images.sniffing import describe, sniff


def png():
    file = io.BytesIO()
    Image.fromarray(np.full((20, 20), 7, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_streams(kind):
    assert read_image(kind(png()))[0, 0] == 7


def test_a_stream_that_cannot_seek():
    class Pipe(io.RawIOBase):
        def __init__(self, data):
            self.rest = io.BytesIO(data)

        def readable(self):
            return True

        def readinto(self, buffer):
            part = self.rest.read(len(buffer))
            buffer[: len(part)] = part
            return len(part)

    assert read_image(io.BufferedReader(Pipe(png())))[0, 0] == 7


def test_missing(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png: does not exist\. Check the path"):
        read_image(tmp_path / "gone.png")


def test_folder(tmp_path):
    with pytest.raises(ImageError, match=r"is a folder.*read_volume"):
        read_image(tmp_path)


def test_empty(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    with pytest.raises(ImageError, match=r"empty\.png: is empty \(0 bytes\)"):
        read_image(path)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    with pytest.raises(ImageError, match="no regular file"):
        read_image(path)


def test_impossible_paths():
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image("a\0b.png")
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image("x" * 5000)


def test_too_many_bytes(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(png())
    for source in (path, png(), io.BytesIO(png())):
        with pytest.raises(ImageError, match="over the limit of 20"):
            read_image(source, max_bytes=20)


@pytest.mark.parametrize("source", [None, 3, ["a.png"], np.zeros((20, 20), np.uint8)])
def test_other_objects(source):
    with pytest.raises(ParameterError, match="cannot be read as an image file"):
        read_image(source)


def test_text_streams():
    with pytest.raises(ParameterError, match="binary mode"):
        read_image(io.StringIO("hello"))


def test_closed_streams():
    stream = io.BytesIO(png())
    stream.close()
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(stream)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"<svg xmlns=''/>", "SVG"),
        (b"hello, world\n", "a text file"),
        (b"BMI,age\n27,50\n", "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x00\x00\x00\x18ftypheic", "HEIC"),
        (b"\x00" * 500, "a file of zeros"),
        (b"\x1f\x8b\x08\x00garbage", "gzip"),
        (os.urandom(4) * 50 + b"\xfe", "no image of a known kind"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(content, words):
    assert sniff(content) is None
    with pytest.raises(ImageError, match=words) as caught:
        read_image(content, name="upload.png")
    assert str(caught.value).startswith("upload.png: is ")


def test_names_cannot_forge_lines():
    assert shown("a\nb\x1b[31m\udcff") == "a\\nb\\x1b[31m\\udcff"
    with pytest.raises(ImageError) as caught:
        read_image(b"x", name="a.png\nERROR: all lost")
    assert "\n" not in str(caught.value)


def test_describe_never_fails():
    assert describe(b"")
    assert sniff(b"") is None


def test_decoders_are_silent_within_and_others_are_not(caplog, recwarn):
    warnings.simplefilter("always")
    quiet = {"__name__": "pydicom.valuerep", "warnings": warnings}
    other = {"__name__": "somebody.else", "warnings": warnings}
    say = "def say(words):\n    warnings.warn(words, UserWarning)\n"
    exec(say, quiet)
    exec(say, other)
    with quiet_decoders():
        with quiet_decoders():
            quiet["say"]("Invalid value for VR PN: 'DOE^JANE'")
        quiet["say"]("Invalid value for VR PN: 'DOE^JANE'")
        other["say"]("heard")
        logging.getLogger("pydicom").warning("DOE^JANE")
    assert [str(w.message) for w in recwarn.list] == ["heard"]
    assert not caplog.records
    quiet["say"]("after")
    logging.getLogger("pydicom").warning("after")
    assert str(recwarn.list[-1].message) == "after"
    assert [record.message for record in caplog.records] == ["after"]


def test_filters_are_restored_after_many_threads():
    before = list(warnings.filters)
    barrier = threading.Barrier(8)

    def work():
        barrier.wait()
        for _ in range(20):
            assert read_image(png())[0, 0] == 7

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_importing_the_readers_is_light():
    code = (
        "import sys, mri_tumor.images\n"
        "heavy = {'pydicom', 'nibabel', 'scipy', 'tensorflow', 'keras', 'pandas', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_asking_for_the_kind_leaves_a_stream_where_it_stood():
    stream = io.BytesIO(b"junk" + png())
    stream.seek(4)
    assert not is_volume(stream)
    assert read_image(stream)[0, 0] == 7
