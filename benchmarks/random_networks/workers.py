"""Runs the networks in forks of this process, several side by side, each for a limited time."""

import os
import signal
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from rich.progress import Progress

from benchmarks.random_networks import one_network
from benchmarks.random_networks.verdict import FAILURES, Verdict, read

POLL_SECONDS = 0.01
BEFOREHAND = (
    "onnx2tf.onnx2tf",
    "mmdet2tflite.convert.finish_tflite",
    "mmdet2tflite.convert.run_worker",
    "mmdet2tflite.tflite.padding_flag",
)
"""Modules that every fork would otherwise import."""


@dataclass
class _Fork:
    """A network that is being converted."""

    seed: int
    pid: int
    started: float
    folder: tempfile.TemporaryDirectory[str]

    @property
    def verdict(self) -> Path:
        """Where the fork writes its line."""
        return Path(self.folder.name, "verdict")


def convert_all(seeds: Iterable[int], record: Path, jobs: int, timeout: float) -> None:
    """Convert the networks that the record lacks, and add a line for each.

    A network that runs into the time-out, or brings its process down, is a failure as well.
    """
    for module in BEFOREHAND:
        import_module(module)
    known = _known(record)
    waiting = [seed for seed in seeds if seed not in known]
    running: list[_Fork] = []
    try:
        with record.open("a", encoding="utf-8") as lines, Progress() as bar:
            task = bar.add_task("networks", total=len(waiting))
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(waiting.pop(0)))
                for fork in list(running):
                    verdict = _finished(fork, timeout)
                    if verdict is None:
                        continue
                    running.remove(fork)
                    fork.folder.cleanup()
                    lines.write(verdict.line())
                    lines.flush()
                    bar.advance(task)
                    if verdict.outcome in FAILURES:
                        bar.print(f"{verdict.seed}: {verdict.outcome}: {verdict.reason}")
                time.sleep(POLL_SECONDS)
    finally:
        for fork in running:
            os.killpg(fork.pid, signal.SIGKILL)
            os.waitpid(fork.pid, 0)
            fork.folder.cleanup()


def _known(record: Path) -> set[int]:
    """The seeds of the record, whose last line is taken out if an interruption has cut it off."""
    if not record.exists():
        return set()
    content = record.read_text(encoding="utf-8")
    whole = content[: content.rfind("\n") + 1]
    if whole != content:
        record.write_text(whole, encoding="utf-8")
    return set(read(whole.splitlines(keepends=True)))


def _start(seed: int) -> _Fork:
    folder = tempfile.TemporaryDirectory(prefix="mmdet2tflite-random-")
    pid = os.fork()
    if pid == 0:
        _convert(seed, Path(folder.name))
    return _Fork(seed, pid, time.monotonic(), folder)


def _convert(seed: int, folder: Path) -> NoReturn:
    """In the fork, which has a group of its own, so that its tools end with it."""
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        tempfile.tempdir = str(folder)
        with (folder / "log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        line = one_network.convert_one(seed, folder).line()
        (folder / "verdict").write_text(line, encoding="utf-8")
        status = 0
    except Exception:
        import traceback

        (folder / "verdict").write_text(
            Verdict(seed, "traceback", traceback.format_exc(), "", 0.0).line(), encoding="utf-8"
        )
    finally:
        os._exit(status)


def _finished(fork: _Fork, timeout: float) -> Verdict | None:
    """None while it runs in its time."""
    done, status = os.waitpid(fork.pid, os.WNOHANG)
    seconds = round(time.monotonic() - fork.started, 2)
    if done and fork.verdict.exists():
        (verdict,) = read(
            fork.verdict.read_text(encoding="utf-8").splitlines(keepends=True)
        ).values()
        return verdict
    if done:
        reason = f"the process ended with status {os.waitstatus_to_exitcode(status)}"
        return Verdict(fork.seed, "traceback", reason, "", seconds)
    if seconds > timeout:
        os.killpg(fork.pid, signal.SIGKILL)
        os.waitpid(fork.pid, 0)
        return Verdict(fork.seed, "traceback", f"not done after {timeout:g} s", "", seconds)
    return None
