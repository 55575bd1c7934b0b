"""Ctrl-C reaches the main thread alone; here is how the work in other threads hears of it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

_over = threading.Event()


@contextmanager
def interruptible() -> Iterator[None]:
    """Around the main thread's waiting for other threads: what ends the one ends the others.

    After an exception in here (Ctrl-C is one) ``check_interruption`` raises in every thread.
    """
    _over.clear()
    try:
        yield
    except BaseException:
        interrupt()
        raise


def interrupt() -> None:
    """``check_interruption`` raises in every thread from now on."""
    _over.set()


def check_interruption() -> None:
    """Asked now and then by whatever waits long.

    Raises:
        KeyboardInterrupt: the main thread gave up waiting.
    """
    if _over.is_set():
        raise KeyboardInterrupt


def acquire(lock: "BaseFileLock") -> None:
    """Wait for a lock. Raises KeyboardInterrupt as ``check_interruption``."""
    try:
        lock.acquire(cancel_check=_over.is_set)
    except TimeoutError:
        raise KeyboardInterrupt from None
