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

from mmdet2tflite.processes.interruption import acquire, check_interruption
from mmdet2tflite.processes.lock import file_lock

POLL_SECONDS = 0.1
INSTRUCTION_SETS = (
    *("avx2", "avx512f", "avx512_bf16", "avx_vnni", "avx512_vnni", "amx_int8"),  # x86
    *("asimddp", "sve", "i8mm"),  # Arm
)
"""Those by which XNNPACK, oneDNN and their like choose kernels; as /proc/cpuinfo has them."""


def cpu_model() -> str:
    """The processor as good as the system knows it: ``AMD EPYC (avx2, avx512f, avx512_vnni)``.

    A virtual machine often names a family alone, whose members differ in what decides how fast
    kernels are (docs/decisions/0009).
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return describe_cpu(text) or platform.processor() or platform.machine()


def describe_cpu(cpuinfo: str) -> str:
    """Name and instruction sets of the first core in Linux' /proc/cpuinfo; empty without any."""
    pairs = (line.partition(":") for line in reversed(cpuinfo.splitlines()))
    fields = {name.strip(): value.strip() for name, _, value in pairs}  # the first core's are last
    has = (fields.get("flags") or fields.get("Features") or "").split()  # x86, Arm
    name = fields.get("model name") or (platform.machine() if has else "")
    known = ", ".join(each for each in INSTRUCTION_SETS if each in has)
    return f"{name} ({known})" if known else name


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
    return file_lock(Path(tempfile.gettempdir()) / f"mmdet2tflite-{user}-{name}.lock")


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
