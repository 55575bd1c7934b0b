"""Runs heavy or rude tools in a child process: log, progress, time-outs, ``reproduce.sh``.

A child is ``python -m mmdet2tflite.processes.child MODULE ARGUMENTS``: that makes it die with
its parent. What it prints goes to the log, and nowhere else; what it has to say to its parent comes
over another pipe (messages.py).
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmdet2tflite import errors
from mmdet2tflite.errors import ToolFailed, ToolKilled, UserError
from mmdet2tflite.processes.interruption import check_interruption
from mmdet2tflite.processes.memory import Watch, bound, kill_first
from mmdet2tflite.processes.messages import PIPE

WARM = "--warm"
WITHOUT_TELEMETRY = {"CI": "true"}
"""Environment of every child that imports openvino: it reports its use on import, asks nobody, and
knows no other switch for a single process."""
PROJECT = Path(__file__).parents[2]
"""Where another environment's interpreter finds this package, and benchmarks/ in a clone."""
TAIL_LINES = 15
POLL_SECONDS = 0.2
SECONDS_TO_DIE = 5.0

type OnProgress = Callable[[dict[str, Any]], None]


class Child(subprocess.Popen[str]):
    """A child process; ``messages`` are its lines beside what it prints."""

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
        python: Path | None = None,
    ) -> None:
        receiver, sender = os.pipe()
        self.messages = os.fdopen(receiver, encoding="utf-8")
        pipe = {PIPE: f"/proc/self/fd/{sender}"}
        with os.fdopen(sender, "wb"):  # afterwards it is the child's alone
            super().__init__(
                [python or sys.executable, "-m", "mmdet2tflite.processes.child", *words],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, **environment, **pipe, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
                pass_fds=[sender],
            )
        kill_first(self.pid)


class WarmPython(Child):
    """A child that imports a module in advance and then waits to be told what to run.

    A tool's imports may take as long as what its caller has to do first. For one ``run_python``; at
    the end of its ``with`` block a child that was not used is stopped.
    """

    def __init__(self, module: str, environment: Mapping[str, str] | None = None) -> None:
        super().__init__([WARM, module], environment or {}, stdin=subprocess.PIPE)

    def use(self, words: Sequence[str]) -> Child:
        """Let the child run ``words``: a module and its arguments."""
        assert self.stdin is not None
        with suppress(BrokenPipeError), self.stdin as pipe:
            pipe.write(json.dumps(words))  # a child that failed to import has closed the pipe
        return self

    def __exit__(self, *exception: Any) -> None:
        if self.poll() is None:
            _kill_group(self)
            self.wait()  # and no more: to close a pipe that a thread still reads would block


def run_python(
    tool: str,
    module: str,
    arguments: Sequence[str | Path],
    *,
    log: Path,
    timeout: float | None = None,
    silence: float | None = None,
    environment: Mapping[str, str] | None = None,
    on_progress: OnProgress = lambda message: None,
    warm: WarmPython | None = None,
    python: Path | None = None,
) -> Any:
    """Run a Python module in a child process until it ends.

    Args:
        tool: distribution that does the work, for the error message (``onnx2tf``).
        module: what ``python -m`` would run.
        log: file for everything the child prints; ``<log>.reproduce.sh`` is written beside it.
        timeout: seconds after which the child is stopped.
        silence: seconds without a line or a message after which the child is stopped.
        environment: variables to add.
        on_progress: called with each progress message.
        warm: a child to run it in, started with the same ``environment``.
        python: the interpreter of another environment (``own_environment``).

    Returns:
        What the child sent; None if it sent none.

    Raises:
        ToolFailed: the child ended with an error, was killed, or ran into a time-out or the limit
            of memory (``memory.bound``).
        ToolKilled: it was killed by SIGKILL, and not from here.
        UserError: the one that the child raised.
        ConfigError: as ``memory.bound``.
        OSError: the log cannot be written.
        KeyboardInterrupt: the main thread was interrupted.
    """
    words, limit = [module, *map(str, arguments)], bound()
    log.parent.mkdir(parents=True, exist_ok=True)
    script = log.with_suffix(".reproduce.sh")
    variables = {**(environment or {}), **({"PYTHONPATH": str(PROJECT)} if python else {})}
    _write_script(script, words, variables, python)
    child = warm.use(words) if warm else Child(words, variables, python=python)
    reader, watch = _Reader(child, log, on_progress), Watch(child.pid, limit)
    try:
        reason = _wait(child, reader, watch, timeout, silence)
    except BaseException:
        _stop(child)
        raise
    finally:
        _kill_group(child)  # whatever the child left running would keep the pipe open
        child.wait()
        watch.end()
        reader.join(SECONDS_TO_DIE)  # a daemon that left the group may keep it open for ever
    if reader.error:
        raise reader.error
    if reason or child.returncode:
        what = reason or _describe_exit(child.returncode)
        killed = not reason and child.returncode == -signal.SIGKILL
        raise _failure(ToolKilled if killed else ToolFailed, tool, what, reader, log, script)
    return reader.result


class _Reader:
    """Copies the child's output to the log, keeps its last lines, and takes its messages."""

    def __init__(self, child: Child, log: Path, on_progress: OnProgress) -> None:
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.user_error: list[str] = []
        self.result: Any = None
        self.error: Exception | None = None
        self.last_line = time.monotonic()
        self._child, self._log, self._on_progress = child, log, on_progress
        self._threads = [
            threading.Thread(target=self._read, args=[lines], daemon=True)
            for lines in (self._copy, self._listen)
        ]
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the end of both, for so long each."""
        for thread in self._threads:
            thread.join(seconds)

    def _read(self, lines: Callable[[], None]) -> None:
        try:
            lines()
        except Exception as error:  # a full disk, a faulty callback: the child would block for ever
            self.error = error
            _kill_group(self._child)

    def _copy(self) -> None:
        assert self._child.stdout is not None
        with self._log.open("a", encoding="utf-8") as log:
            for line in self._child.stdout:
                self.last_line = time.monotonic()
                log.write(line)
                log.flush()
                if line.strip():
                    self.tail.append(line.rstrip())

    def _listen(self) -> None:
        for line in self._child.messages:
            self.last_line = time.monotonic()
            if not line.endswith("\n"):  # a kill cut it short
                continue
            match json.loads(line):
                case {"progress": message}:
                    self._on_progress(message)
                case {"error": error}:
                    self.user_error = error
                case {"result": result}:
                    self.result = result


def _wait(
    child: Child,
    reader: _Reader,
    watch: Watch,
    timeout: float | None,
    silence: float | None,
) -> str:
    """Wait for the child; the reason is empty unless it had to be stopped."""
    started = time.monotonic()
    while True:
        try:
            child.wait(POLL_SECONDS)
            return ""
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        check_interruption()
        if excess := watch.excess():
            _kill_group(child)  # it would take more while it is asked to end
            return excess
        if timeout is not None and now - started > timeout:
            _stop(child)
            return f"was stopped after its time-out of {timeout:g} s"
        if silence is not None and now - reader.last_line > silence:
            _stop(child)
            return f"was stopped after {silence:g} s without a line of output"


def _stop(child: Child) -> None:
    """Ask the child and everything it started to end, and give it a moment to do so."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(child.pid, signal.SIGTERM)
        child.wait(SECONDS_TO_DIE)


def _kill_group(child: Child) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _describe_exit(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    hint = " (out of memory, or killed by hand)" if -status == signal.SIGKILL else ""
    return f"was killed by {signal.Signals(-status).name}{hint}"


def _failure(
    failed: type[ToolFailed], tool: str, what: str, reader: _Reader, log: Path, script: Path
) -> UserError:
    if reader.user_error:
        name, *texts = reader.user_error
        error: UserError = getattr(errors, name)(*texts)
        return error
    from importlib.metadata import PackageNotFoundError, version  # slow, in every child

    with suppress(PackageNotFoundError):
        tool = f"{tool} {version(tool)}"
    tail = "\n".join(f"{errors.QUOTED}{line}" for line in reader.tail)
    return failed(
        f"{tool} {what}; the end of its log:\n{tail}",
        "the tool to end with status 0",
        f"read {log}, or run it again by hand: {script}",
    )


def _write_script(
    script: Path, words: Sequence[str], environment: Mapping[str, str], python: Path | None
) -> None:
    variables = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in environment.items())
    folder = shlex.quote(os.getcwd())
    command = shlex.join([str(python or sys.executable), "-m", *words])
    script.write_text(
        f"#!/bin/sh\n# Runs this stage's tool again.\n{variables}cd {folder} && exec {command}\n"
    )
    script.chmod(0o755)
