"""Programs that run beside this one and end with it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from mmdet2tflite.errors import ServiceError

SECONDS_TO_STOP = 20.0
TAIL_LINES = 15


class Services:
    """Started one after the other, stopped in the opposite order.

    Each is a Python module in a child process that dies with this one.

    Args:
        logs: folder for a log of each.
        environment: variables to add.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str, *words: str, keep: int | None = None) -> None:
        """Run ``python -m module words``; ``keep`` is a file descriptor that it inherits."""
        with self._log(name) as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "mmdet2tflite.child", module, *words],
                pass_fds=[] if keep is None else [keep],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C is for this process, which stops them in order
            )

    def check(self) -> None:
        """Raises ServiceError if one has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                path = self._path(name)
                tail = path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
                lines = "\n".join(f"    | {line}" for line in tail)
                raise ServiceError(
                    f"{name} ended with status {process.returncode}; the end of its log:\n{lines}",
                    "servers that run until they are stopped",
                    f"read {path}",
                )

    def __enter__(self) -> "Services":
        return self

    def __exit__(self, *exception: object) -> None:
        for process in reversed(self._running.values()):
            _stop(process)

    def _path(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _log(self, name: str) -> IO[bytes]:
        return self._path(name).open("wb")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it and its own children (a worker's runs) to end; whatever does not is killed."""
    try:
        parent = psutil.Process(process.pid)
        asked = [parent, *parent.children()]
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        process.wait()
        return
    for each in asked:
        with suppress(psutil.NoSuchProcess):
            each.terminate()
    _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_STOP)
    for each in alive:
        with suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
