"""One process of this machine at a time."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mmdet2tflite.errors import DISK_FULL, StoreError
from mmdet2tflite.processes.interruption import acquire


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock that the kernel releases when this process ends, however it ends.

    Args:
        path: the lock's file; its folder is made.
        on_wait: called once if another process holds the lock.

    Raises:
        StoreError: as ``file_lock``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = file_lock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        acquire(lock)
    try:
        yield
    finally:
        lock.release()


def file_lock(path: Path) -> FileLock:
    """A lock whose file is an ordinary one, or can be made.

    Raises:
        StoreError: a link, a folder or the like is in its place, or it cannot be written.
        OSError: the disk is full.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        number = os.open(path, flags, 0o644)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        what = "a link" if path.is_symlink() else error.strerror
        raise _unusable(path, str(what)) from error
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise _unusable(path, "no ordinary file")
    finally:
        os.close(number)
    return FileLock(path)


def _unusable(path: Path, what: str) -> StoreError:
    return StoreError(
        f"the lock {path} cannot be used: {what}",
        "an ordinary file that this user may write, or none",
        "move it away, while nothing of ours runs; it holds nothing",
    )
