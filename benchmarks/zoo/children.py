"""Tools in child processes with a time-out, and what became of them."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.conversion.reasons import last_errors, without_folders
from mmdet2tflite.config.project import project_root
from mmdet2tflite.errors import QUOTED

TRACEBACK = re.compile(r"^(?P<before>.*)Traceback \(most recent call last\)", re.MULTILINE)
LINE = 240
"""Characters of a reason."""

_running: set[int] = set()
_ended = threading.Event()


class Interrupted(Exception):
    """A child was ended with all the others; what became of it means nothing."""


def end_all() -> None:
    """End the children of all threads, and let none begin."""
    _ended.set()
    for group in list(_running):
        _kill(group)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


@dataclass(frozen=True)
class Ended:
    """How a child ended: ``status`` is None if it ran into its time-out, negative for a signal."""

    status: int | None
    seconds: float
    output: str

    @property
    def has_traceback(self) -> bool:
        """Whether a traceback was shown that is no quotation from another tool's log."""
        return any(not m["before"].startswith(QUOTED) for m in TRACEBACK.finditer(self.output))

    @property
    def reason(self) -> str:
        """Why it failed: the last errors that it printed, or its last line."""
        if self.status is None:
            return f"stopped after {self.seconds:.0f} s"
        errors = last_errors(self.output) or self.last_line
        if self.status < 0:
            killed = f"killed by {signal.Signals(-self.status).name}"
            return in_one_line(f"{killed}; {errors}" if errors else killed)
        return in_one_line(errors or f"status {self.status}")

    @property
    def last_line(self) -> str:
        """The last line that is not empty."""
        return next((line for line in reversed(self.output.splitlines()) if line.strip()), "")


def in_one_line(text: str) -> str:
    """A reason for a cell of the table."""
    return " ".join(without_folders(text).replace("|", "/").split())[:LINE]


def run_child(
    words: Sequence[str | Path],
    log: Path,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    paths: Sequence[Path] = (),
) -> Ended:
    """Run ``python -m WORDS`` from the project's root; one thread for each tool.

    Args:
        log: gets all that it prints.
        paths: packages beside those of this environment.

    Raises:
        Interrupted: ``end_all`` was called.
    """
    root = project_root()
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "mmdet2tflite.processes.child", *(str(word) for word in words)],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(str(path) for path in (root, *paths)),
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
                "OMP_NUM_THREADS": "1",
                "PYTHONUNBUFFERED": "1",
                "TQDM_DISABLE": "1",
                **(environment or {}),
            },
        )
        _running.add(child.pid)
        try:
            status = None if _ended.is_set() else child.wait(timeout)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _kill(child.pid)
            child.wait()
            _running.discard(child.pid)
    if _ended.is_set():
        raise Interrupted(f"{words[0]} was ended")
    seconds = round(time.monotonic() - started, 1)
    return Ended(status, seconds, log.read_text(encoding="utf-8", errors="replace"))
