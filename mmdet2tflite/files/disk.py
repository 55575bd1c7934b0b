"""What a disk does: it keeps, is full, or refuses."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdet2tflite.errors import DISK_FULL, StoreError, disk_full

REFUSALS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def to_disk(path: Path) -> None:
    """Wait until a file, or what a folder lists, would survive a power cut."""
    if not (path.is_file() or path.is_dir()):
        return
    place = os.open(path, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


@contextmanager
def disk_errors(folder: Path, setting: str = "store") -> Iterator[None]:
    """Around what uses files below a folder: a full disk and a refusal become a StoreError.

    Args:
        setting: of an experiment, that names the folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full(error.filename or folder) from error
        # A stage reads from many places: only what lies in the store is the store's problem.
        if error.errno in REFUSALS and str(error.filename).startswith(str(folder)):
            raise StoreError(
                f"{error.filename} cannot be written: {error.strerror}",
                "a folder that this user may write to",
                f"correct its permissions, or set `{setting}` to another folder",
            ) from error
        raise
