"""A lock's file is an ordinary one; what else lies in its place is named, and nothing waits."""

import os
from pathlib import Path

import pytest

from mmdet2tflite.errors import StoreError
from mmdet2tflite.processes.lock import exclusive


def test_a_lock_is_made_with_its_folder_and_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "folder" / "key.lock"):
            assert (tmp_path / "folder" / "key.lock").is_file()


def link(path: Path) -> None:
    (path.parent / "precious").write_text("precious")
    path.symlink_to("precious")


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (link, "a link"),
        (lambda path: path.symlink_to("nowhere"), "a link"),
        (lambda path: path.symlink_to(path), "a link"),
        (Path.mkdir, "Is a directory"),
        (os.mkfifo, "no ordinary file"),
    ],
    ids=["link", "link to nothing", "link to itself", "folder", "pipe"],
)
def test_what_is_no_file_is_refused_and_left_alone(make, found: str, tmp_path: Path) -> None:
    path = tmp_path / "key.lock"
    make(path)
    with (
        pytest.raises(StoreError, match=rf"key\.lock cannot be used: {found}") as error,
        exclusive(path),
    ):
        pass
    assert error.value.remedy.startswith("move it away")
    assert not (tmp_path / "nowhere").exists()
    if make is link:
        assert (tmp_path / "precious").read_text() == "precious"


def test_a_lock_that_another_user_owns_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)  # root may open everything
    with (
        pytest.raises(StoreError, match="cannot be used: Permission denied"),
        exclusive(tmp_path / "l"),
    ):
        pass
