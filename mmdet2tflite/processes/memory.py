"""How much memory our tools may take: a bound, and who has how much of it.

Without one, a tool that takes everything leaves the choice of its victim to the kernel. A limit of
the address space (``RLIMIT_AS``) would not do for tools: CUDA, TensorFlow and XNNPACK reserve much
more than they use. What they use is looked at now and then instead (``toolchain``).
"""

import math
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from mmdet2tflite.errors import ConfigError, UserError

VARIABLE = "MMDET2TFLITE_MEMORY_GB"
"""Environment variable: the bound in GB (10^9 bytes); ``inf`` for none."""
FRACTION = 0.8
"""Of the machine, or of the container: what is left keeps the rest of the machine usable."""
GB = 10**9
KILL_ME_FIRST = "500"
"""``oom_score_adj`` of a tool: should memory run out all the same, the kernel takes the tool."""


def bound() -> float:
    """Most bytes that all tools of this process may have in memory.

    Raises:
        ConfigError: the variable is no positive number.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return FRACTION * _machine()
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise ConfigError(
            f"{VARIABLE} is {given!r}", "a positive number of GB, or inf", f"unset {VARIABLE}"
        )
    return number * GB


def _machine() -> float:
    """Bytes of memory that this process may have at all."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(total, *map(_number, _limit_files()), math.inf)


def _limit_files() -> Iterator[Path]:
    """Where Linux states the limits of this process's cgroup and of those around it.

    A container sees its own cgroup at the root, whatever path it is told.
    """
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            version_1 = "memory" in controllers.split(",")
            if version_1 or not controllers:
                root = Path("/sys/fs/cgroup/memory" if version_1 else "/sys/fs/cgroup")
                name = "memory.limit_in_bytes" if version_1 else "memory.max"
                place = root / path.lstrip("/")
                for folder in (place, *place.parents):
                    if folder.is_relative_to(root):
                        yield folder / name


def _number(file: Path) -> float:
    with suppress(OSError, ValueError):  # "max" is no number, and no limit
        return float(file.read_text())
    return math.inf


class Watch:
    """Looks at what a tool and everything that it started have in memory.

    The bound is one for all tools of this process. If they pass it together, the largest has to go.

    Args:
        leader: the tool's process, which leads a session of its own.
        limit: ``bound()``.
    """

    _sizes: ClassVar[dict[int, float]] = {}

    def __init__(self, leader: int, limit: float) -> None:
        self._leader, self._limit = leader, limit

    def excess(self) -> str:
        """Why the tool must be stopped; empty if it need not."""
        self._sizes[self._leader] = self._measure(_resident)
        if sum(list(self._sizes.values())) <= self._limit:
            return ""
        # Shared pages count once for each process, so these numbers may be too large.
        self._sizes[self._leader] = size = self._measure(_proportional)
        sizes = list(self._sizes.values())
        if sum(sizes) <= self._limit or size < max(sizes):
            return ""
        others = f", other tools {(sum(sizes) - size) / GB:.1f} GB" if len(sizes) > 1 else ""
        return (
            f"was stopped because it had {size / GB:.1f} GB in memory{others}, and "
            f"{self._limit / GB:.1f} GB are the limit ({VARIABLE} sets another one)"
        )

    def end(self) -> None:
        """The tool is gone."""
        self._sizes.pop(self._leader, None)

    def _measure(self, of: Callable[[int], float]) -> float:
        return sum(of(pid) for pid in _session(self._leader))


def _session(leader: int) -> Iterator[int]:
    with suppress(OSError):  # no /proc: not Linux
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with suppress(OSError):
                    if os.getsid(int(name)) == leader:
                        yield int(name)


def _resident(pid: int) -> float:
    with suppress(OSError, IndexError):
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
        return float(pages) * resource.getpagesize()
    return 0.0


def _proportional(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1]) * 1024
    return _resident(pid)


def kill_first(pid: int) -> None:
    """Let the kernel choose this process and its later children if memory runs out."""
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(KILL_ME_FIRST)


@contextmanager
def growing_at_most(size: float, *, error: type[UserError]) -> Iterator[None]:
    """In here this process gets ``size`` more bytes of data; then allocations fail.

    For short work of this process itself on what a stranger made. The address space, which
    libraries reserve freely, is not limited (``RLIMIT_DATA``, setrlimit(2)).

    Raises:
        UserError: ``error``, in place of MemoryError.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    wanted = min([_data() + size, *known])
    if math.isfinite(wanted):
        resource.setrlimit(resource.RLIMIT_DATA, (int(wanted), hard))
    try:
        yield
    except MemoryError:
        raise error(
            f"more than {size / GB:.1f} GB of memory are needed to read what is given",
            "a file whose sizes are those of its content",
            "check that the file is complete and from a source that you trust",
        ) from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data() -> int:
    """Bytes that RLIMIT_DATA counts. Raises OSError where the system is not Linux."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status states no VmData")
