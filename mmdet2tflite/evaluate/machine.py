"""The machine that measures: what it is, how busy it is, and sharing it or having it to oneself."""

import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from mmdet2tflite.interruption import acquire, check_interruption

POLL_SECONDS = 0.1


def cpu_model() -> str:
    """The processor's name, as good as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def cores() -> int:
    """Logical cores that this process may use, in a container with a quota too."""
    from joblib import cpu_count  # a third of a second

    return int(cpu_count())


def threads_used(threads: int) -> int:
    """The number of threads meant by a setting in which 0 stands for all cores."""
    return threads or cores()


def load() -> float:
    """Processes that ran or waited to run, averaged over the last minute."""
    return psutil.getloadavg()[0]


@contextmanager
def one_core() -> Iterator[None]:
    """Hold a core of this machine: as many such works run at once as there are cores.

    Of this process or others of the user; and none while a measurement has the machine ``alone``.

    Raises:
        KeyboardInterrupt: the main thread was interrupted meanwhile.
    """
    gate, all_cores = _lock("gate"), [_lock(number) for number in range(cores())]
    while not _one_taken(gate, all_cores):
        check_interruption()
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        for core in all_cores:
            core.release()


@contextmanager
def alone() -> Iterator[None]:
    """Hold this machine: against every other measurement and whatever holds one core.

    Nothing new passes the gate while a measurement waits for what runs already.

    Raises:
        KeyboardInterrupt: as ``one_core``.
    """
    with ExitStack() as held:
        for name in ("gate", *range(os.cpu_count() or 1)):
            lock = _lock(name)
            acquire(lock)
            held.callback(lock.release)
        yield


def _lock(name: str | int) -> FileLock:
    """A lock of the kernel: it is gone with the process that held it."""
    # One per user: Linux forbids opening another user's file in a shared /tmp for writing.
    user = os.getuid() if hasattr(os, "getuid") else "all"
    return FileLock(Path(tempfile.gettempdir()) / f"mmdet2tflite-{user}-{name}.lock")


def _one_taken(gate: FileLock, all_cores: Sequence[FileLock]) -> bool:
    if not _taken(gate):
        return False
    try:
        return any(_taken(core) for core in all_cores)
    finally:
        gate.release()


def _taken(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True
