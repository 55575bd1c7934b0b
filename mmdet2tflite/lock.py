"""One process of this machine at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mmdet2tflite.interruption import acquire


@contextmanager
def exclusive(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock that the kernel releases when this process ends, however it ends.

    Args:
        path: the lock's file; its folder is made.
        on_wait: called once if another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        acquire(lock)
    try:
        yield
    finally:
        lock.release()
