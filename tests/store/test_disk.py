"""A disk that refuses: what is reported, and that nothing half-made is seen."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmdet2tflite.artifacts import Report
from mmdet2tflite.errors import StoreError
from mmdet2tflite.store.store import Store
from tests.store.building import build, writes


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_and_leaves_nothing_visible(store: Store, number: int) -> None:
    def make(work: Path) -> Report:
        raise OSError(number, os.strerror(number))

    with pytest.raises(StoreError, match="no space left") as caught:
        build(store, make)
    assert "finished stages are kept" in caught.value.remedy
    assert store.find("stage", "key") is None


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(["mount", *options], check=False).returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_is_reported_and_the_run_succeeds_once_there_is_room(
    tiny_disk: Path,
) -> None:
    store = Store(tiny_disk)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(40_000))
    with pytest.raises(StoreError, match="no space left"):
        build(store, writes("x" * 100_000))
    assert store.find("stage", "key") is None
    ballast.unlink()
    assert store.path(build(store, writes("small")), "file.txt").read_text() == "small"


def test_a_root_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match="cannot be written: Not a directory"):
        build(Store(tmp_path / "store"), writes("content"))


def test_a_file_outside_the_store_that_may_not_be_read_is_not_blamed_on_the_store(
    store: Store,
) -> None:
    def make(work: Path) -> Report:
        raise PermissionError(errno.EACCES, "Permission denied", "/data/image.png")

    with pytest.raises(PermissionError, match=r"/data/image\.png"):
        build(store, make)
