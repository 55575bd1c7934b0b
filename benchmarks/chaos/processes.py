"""A run as a process with all that it starts, which an environment variable marks.

The mark is inherited by everything that a run starts, so what still lives after the run is found
however it was started and whoever its parent is by now.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from mmdet2tflite.config.project import project_root
from mmdet2tflite.errors import QUOTED

MARK = "MMDET2TFLITE_CHAOS"
POLL_SECONDS = 0.002
SECONDS_TO_DIE = 15.0
"""A child that dies with its parent is gone at once; a DataLoader's worker looks every 5 s."""
FIRST_SECONDS = 180.0
"""From the start of a run until its first stage; more than 20 s only on a crowded machine."""
NOT_INHERITED = ("PREFECT_", "MLFLOW_", "PYTHON", "LD_PRELOAD")
TRACEBACK = re.compile(r"^(?P<before>.*)Traceback \(most recent call last\)", re.MULTILINE)

type TargetName = Literal["flow", "tool", "server", "loader"]


@dataclass(frozen=True)
class Ended:
    """How a run ended: ``status`` is None if it had to be stopped; a negative one is a signal.

    ``after_blow``: seconds between what disturbed it at a known time and its end. ``orphans``:
    command lines.
    """

    status: int | None
    seconds: float
    after_blow: float | None
    output: str
    orphans: tuple[str, ...] = ()

    @property
    def last_line(self) -> str:
        """The last line that is not empty."""
        return next((line for line in reversed(self.output.splitlines()) if line.strip()), "")


def has_traceback(output: str) -> bool:
    """Whether a Python traceback was shown that is not a quotation from a tool's log."""
    return any(not m["before"].startswith(QUOTED) for m in TRACEBACK.finditer(output))


def environment(mark: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Of a run: one thread for each tool, as two cases run side by side on two cores."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(NOT_INHERITED)}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **variables, MARK: mark}


def marked(mark: str, *, prefix: bool = False) -> list[psutil.Process]:
    """Living processes that carry a mark, or one that begins with it."""
    wanted = f"\0{MARK}={mark}{'' if prefix else chr(0)}".encode()
    found = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if pid != os.getpid() and wanted in b"\0" + Path(f"/proc/{pid}/environ").read_bytes():
                found.append(psutil.Process(pid))
    return found


def end_all(mark: str, *, prefix: bool = False) -> None:
    """SIGKILL to what carries a mark of ours."""
    for process in marked(mark, prefix=prefix):
        with suppress(psutil.Error):
            process.kill()


class Run:
    """``python -m MODULE WORDS`` in the project's root, its output in a file."""

    def __init__(
        self, mark: str, log: Path, words: list[str], variables: Mapping[str, str]
    ) -> None:
        self.mark, self._log, self._started = mark, log, time.monotonic()
        self._blow: float | None = None
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                cwd=project_root(),
                env=environment(mark, variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def blow(self) -> None:
        """Remember that it is disturbed now."""
        self._blow = time.monotonic()

    def targets(self, name: TargetName) -> list[psutil.Process]:
        """The processes of a kind that the run has just now."""
        with suppress(psutil.Error):
            flow = psutil.Process(self._process.pid)
            if name == "flow":
                return [flow]
            children = [each for each in flow.children() if _words(each)]
            servers = [each for each in children if "tasks.servers.server" in _words(each)]
            tools = [
                each
                for each in children
                if "mmdet2tflite.processes.child" in _words(each) and each not in servers
            ]
            loaders = [loader for tool in tools for loader in tool.children()]
            return {"server": servers, "tool": tools, "loader": loaders}[name]
        return []

    def until(self, condition: Callable[[], bool], seconds: float = FIRST_SECONDS) -> bool:
        """Wait; False if the run ended, or the time was over, before the condition was true."""
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.alive or time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def strike(
        self, target: psutil.Process, number: signal.Signals, still: Callable[[], bool]
    ) -> bool:
        """Hold a process, see that the stage still runs, and only then let the signal arrive."""
        with suppress(psutil.Error):
            target.suspend()
            try:
                hit = still()
                if hit:
                    self.blow()
                    target.send_signal(number)
            finally:
                with suppress(psutil.Error):
                    target.resume()
            return hit
        return False

    def end(self, limit: float) -> Ended:
        """Wait for the end, then for that of all that it started; what is left then is killed."""
        status: int | None = None
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(limit)
        ended = time.monotonic()
        if status is None:
            end_all(self.mark)
            self._process.wait()
        while (left := marked(self.mark)) and time.monotonic() < ended + SECONDS_TO_DIE:
            time.sleep(0.1)
        orphans = tuple(" ".join(_words(each))[:200] for each in left)
        end_all(self.mark)
        after_blow = None if self._blow is None else ended - self._blow
        return Ended(status, ended - self._started, after_blow, self.output, orphans)


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # gone by now
        return []
