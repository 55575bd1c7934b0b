"""The machine that measures: what it is, how busy it is, and having it to oneself."""

import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock


def cpu_model() -> str:
    """The processor's name, as good as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def cores() -> int:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_used(threads: int) -> int:
    """The number of threads meant by a setting in which 0 stands for all cores."""
    return threads or cores()


def load() -> float:
    """Processes that ran or waited to run, averaged over the last minute."""
    return psutil.getloadavg()[0]


@contextmanager
def alone() -> Iterator[None]:
    """Hold this machine against every other evaluation, of this process or another one.

    The lock is the kernel's: it is gone with the process that held it.
    """
    # One lock per user: Linux forbids opening another user's file in a shared /tmp for writing.
    user = os.getuid() if hasattr(os, "getuid") else "all"
    with FileLock(Path(tempfile.gettempdir()) / f"mmdet2tflite-evaluation-{user}.lock"):
        yield
