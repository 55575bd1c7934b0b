"""Programs that run beside this one and end with it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from mmdet2tflite.errors import QUOTED, ServiceError
from mmdet2tflite.report.terminal import console

SECONDS_TO_STOP = 20.0
SECONDS_TO_RESTART = (1.0, 2.0, 4.0, 8.0, 16.0)
"""After the first, second … death within ``SECONDS_TO_FORGET``; the next one is the last."""
SECONDS_TO_FORGET = 3600.0
TAIL_LINES = 15


@dataclass
class _Service:
    """How one is started, and what became of it."""

    module: str
    words: tuple[str, ...]
    log: Path
    on_death: Callable[[], None] | None
    process: subprocess.Popen[bytes]
    deaths: list[float] = field(default_factory=list)
    """When it ended by itself, by the monotonic clock."""
    due: float | None = None
    """When to start it again."""


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
        self._running: dict[str, _Service] = {}

    def start(
        self,
        name: str,
        module: str,
        *words: str,
        keep: int | None = None,
        on_death: Callable[[], None] | None = None,
    ) -> None:
        """Run ``python -m module words``.

        Args:
            keep: a file descriptor that it inherits.
            on_death: called when it has ended by itself; then it is started again, later each time.
        """
        log = self._logs / f"{name}.log"
        log.unlink(missing_ok=True)
        process = self._spawn(log, module, words, keep)
        self._running[name] = _Service(module, words, log, on_death, process)

    def check(self) -> None:
        """Start again what may be. Raises ServiceError if another one has ended by itself."""
        for name, service in self._running.items():
            if service.due is not None:
                if time.monotonic() >= service.due:
                    service.due = None
                    service.process = self._spawn(service.log, service.module, service.words, None)
            elif service.process.poll() is not None:
                self._ended(name, service)

    def _ended(self, name: str, service: _Service) -> None:
        now = time.monotonic()
        recent = [death for death in service.deaths if now - death < SECONDS_TO_FORGET]
        if service.on_death is None or len(recent) == len(SECONDS_TO_RESTART):
            raise _failure(name, service, len(recent))
        service.on_death()
        wait = SECONDS_TO_RESTART[len(recent)]
        console.print(f"{name} {_how(service)}; it is started again in {wait:g} s")
        service.deaths, service.due = [*recent, now], now + wait

    def _spawn(
        self, log: Path, module: str, words: tuple[str, ...], keep: int | None
    ) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "mmdet2tflite.processes.child", module, *words],
                pass_fds=[] if keep is None else [keep],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,  # Ctrl-C is for this process, which stops them in order
            )

    def __enter__(self) -> "Services":
        return self

    def __exit__(self, *exception: object) -> None:
        for service in reversed(self._running.values()):
            _stop(service.process)


def _how(service: _Service) -> str:
    status = service.process.returncode
    return f"ended with status {status}" if status >= 0 else f"was killed by signal {-status}"


def _failure(name: str, service: _Service, restarts: int) -> ServiceError:
    tail = service.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    lines = "\n".join(f"{QUOTED}{line}" for line in tail)
    again = f" after {restarts} restarts" if restarts else ""
    return ServiceError(
        f"{name} {_how(service)}{again}; the end of its log:\n{lines}",
        "servers that run until they are stopped",
        f"read {service.log}",
    )


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
