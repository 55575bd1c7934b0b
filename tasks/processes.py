"""Says of a process, by what a run in MLflow was tagged with, whether it is gone for certain.

1. It was on this machine and in this PID namespace (a container has one of its own), and
2. no process has its number, or that one was started at another time.

Of a process on another machine nothing is known here.
"""

import os
import socket
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")


def this_process() -> str:
    """Machine and PID namespace, number, start."""
    return f"{_here()} {os.getpid()} {_start_of(os.getpid())}"


def is_gone(process: str) -> bool:
    """Whether what ``this_process`` once returned is gone; of any other text nothing is known."""
    here, _, rest = process.partition(" ")
    if here != _here():
        return False
    pid, started = rest.split()
    return _start_of(int(pid)) != started


def _here() -> str:
    machine = MACHINE_ID.read_text().strip() if MACHINE_ID.exists() else ""
    return f"{socket.gethostname()}/{machine}/{os.stat('/proc/self/ns/pid').st_ino}"


def _start_of(pid: int) -> str | None:
    """When a living process started, in ticks since the machine did: proc_pid_stat(5), field 22.

    Not as the time of day, which would move with the machine's clock.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]
