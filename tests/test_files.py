"""Files are written whole or not at all, where a link leads, and into what is no file."""

import os
from threading import Thread

import pytest

from mri_tumor.files import write_whole


def test_what_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, lambda file: file.write(b"old"))

    def half(file):
        file.write(b"ne")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_whole(path, half)
    assert path.read_bytes() == b"old"
    write_whole(path, lambda file: file.write(b"new"))
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a.json", b"new")]


def test_a_link_stays_one_and_leads_to_what_was_written(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to("real.json")
    for content in (b"first", b"second"):
        write_whole(link, lambda file, content=content: file.write(content))
        assert link.is_symlink()
        assert (tmp_path / "real.json").read_bytes() == content


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, lambda file: file.write(b"content"))
    reader.join(timeout=10)
    assert got == [b"content"]
    assert pipe.is_fifo()


def test_a_folder_that_cannot_be_opened_does_not_undo_what_was_written(tmp_path, monkeypatch):
    opened = os.open

    def closed(path, flags, *rest, **named):
        if os.path.isdir(path):  # noqa: PTH112 - as Windows answers, and Linux without the right
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", closed)
    write_whole(tmp_path / "a.json", lambda file: file.write(b"content"))
    assert (tmp_path / "a.json").read_bytes() == b"content"
