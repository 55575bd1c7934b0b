"""Only a regular file of a bounded size is opened, and nothing waits."""

import os
from pathlib import Path

import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.files.regular_file import check_regular, open_regular, read_regular


def test_a_regular_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", limit=3, error=ModelError) == b"abc"
    with open_regular(tmp_path / "file", limit=None, error=ModelError) as file:
        assert file.read() == b"abc"


def test_a_larger_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ModelError, match=r"it has 1,000,000\.0 MB; 0\.0 MB are read"):
        read_regular(tmp_path / "sparse", limit=1000, error=ModelError)


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "loop", "/dev/zero", "a\0b"])
def test_what_is_no_regular_file_is_named_and_does_not_block(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    said = {
        "missing": "No such file",
        "folder": "it is a folder",
        "pipe": "it is a named pipe",
        "loop": "symbolic links",
        "/dev/zero": "it is a device",
        "a\0b": "no file can have this name",
    }
    with pytest.raises(ModelError, match=said[name]):
        check_regular(tmp_path / name, limit=None, error=ModelError)
