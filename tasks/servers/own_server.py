"""A Prefect server for one run, where the settings name none: it lives as long as the run.

Prefect starts one by itself, too, but late (imports are over) and after importing all of the server
into the flow's own process; and a run that is killed leaves it behind. This one

1. starts while the flow's modules are imported, and dies with the run (``processes.child``);
2. serves at a socket that the run keeps open: whoever calls while there is no server waits in the
   socket's queue, and Prefect's clients ask again where an answer broke off;
3. is started again when it dies or hangs;
4. ends the run when it cannot be started: what is made is kept.
"""

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import NoReturn

import httpx
import psutil

from mmdet2tflite.errors import QUOTED, ServiceError
from mmdet2tflite.processes.exit_status import WRONG_INPUT
from mmdet2tflite.processes.interruption import interrupt
from mmdet2tflite.report.terminal import console

SECONDS_TO_START = 300.0
"""The first start, on an empty database, takes 20 s on a machine that is not busy."""
SECONDS_TO_STOP = 10.0
"""It writes down what it was told last."""
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_TO_ANSWER = 2.0
SECONDS_TO_HANG = 8.0
"""Of no answer and no work. One that the machine gives no time to works a little all the same."""
SECONDS_TO_BE_SILENT = 120.0
"""Of no answer, whatever it does."""
FAILED_STARTS = 2
"""In a row: then it cannot be started."""
TAIL_LINES = 5


class OwnServer(threading.Thread):
    """Raises OSError if no port of this machine is free."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="own-server")
        self._place = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._place.getsockname()[1]}/api"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
        self._over, self._lock = threading.Event(), threading.Lock()
        self._failed_starts = 0
        self._spawn()
        atexit.register(self.stop)
        self.start()

    def wait(self) -> None:
        """Until it answers. The run ends (rule 4) if it never does."""
        deadline = time.monotonic() + SECONDS_TO_START
        while not self._answers(deadline - time.monotonic()):
            if time.monotonic() > deadline:
                self._give_up(f"did not answer within {SECONDS_TO_START:g} s")

    def stop(self) -> None:
        """Let it end, and start no other one."""
        self._over.set()
        with self._lock:
            self._server.terminate()
            try:
                self._server.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                self._kill()

    def run(self) -> None:
        """Rules 3 and 4."""
        while not self._over.wait(SECONDS_BETWEEN_LOOKS):
            with self._lock:
                if not self._over.is_set() and (fault := self._fault()):
                    self._start_again(fault)

    def _spawn(self) -> None:
        self._log.truncate(0)
        self._server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "mmdet2tflite.processes.child",
                "tasks.servers.server",
                str(self._place.fileno()),
            ],
            pass_fds=[self._place.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is the run's, which has something to report still
        )
        self._has_answered, self._worked = False, 0.0
        self._heard = self._at_work = time.monotonic()

    def _fault(self) -> str:
        """What is wrong with the server; empty if nothing is."""
        status = self._server.poll()
        if status is not None:
            return f"ended with status {status}" if status >= 0 else f"was killed by {-status}"
        now, worked = time.monotonic(), _processor_time(self._server.pid)
        if self._answers(SECONDS_TO_ANSWER):
            self._has_answered, self._failed_starts = True, 0
            self._heard = self._at_work = now
        elif worked != self._worked or self._waits():
            self._at_work = now
        self._worked = worked
        patience = SECONDS_TO_BE_SILENT if self._has_answered else SECONDS_TO_START
        hangs = now - self._at_work > SECONDS_TO_HANG or now - self._heard > patience
        return "does not answer any more" if hangs else ""

    def _waits(self) -> bool:
        """Whether it may be waiting for a database that another server is making."""
        stopped = psutil.Process(self._server.pid).status() == psutil.STATUS_STOPPED
        return not self._has_answered and not stopped

    def _answers(self, seconds: float) -> bool:
        return answers(self.url, seconds)

    def _start_again(self, fault: str) -> None:
        self._kill()
        self._failed_starts += not self._has_answered
        if self._failed_starts == FAILED_STARTS:
            self._give_up(fault)
        console.print(f"Prefect's server {fault}; it is started again", soft_wrap=True)
        self._spawn()

    def _kill(self) -> None:
        self._server.kill()
        self._server.wait()

    def _give_up(self, fault: str) -> None:
        self._log.seek(0)
        tail = self._log.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
        log = "".join(f"\n{QUOTED}{line}" for line in tail)
        end_run(
            f"Prefect's server {fault}, and could not be started again"
            + (f"; the end of its log:{log}" if log else "")
        )


def answers(url: str, seconds: float) -> bool:
    """Whether Prefect's server at a URL says that it is well."""
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health", timeout=max(seconds, 0.1)).is_success
    return False


def end_run(found: str) -> NoReturn:
    """End this process with a line: Prefect, without a server, would go on asking for minutes."""
    error = ServiceError(
        found,
        "a server as long as the run lasts",
        "run the same command again: finished stages are kept, a training goes on",
    )
    interrupt()
    console.show_cursor()
    print(error, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(WRONG_INPUT)  # the tools die with it


def _processor_time(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()  # of a zombie, too
    return float(times.user + times.system)
