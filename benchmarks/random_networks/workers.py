"""Converts networks in processes of their own, several side by side, each for a limited time."""

import os
import signal
import tempfile
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from rich.progress import Progress

from benchmarks.random_networks import one_network
from benchmarks.random_networks.forked_tools import SERVER, print_to
from benchmarks.random_networks.verdict import FAILURES, Verdict, read

POLL_SECONDS = 0.01


@dataclass
class _Fork:
    """A network that is being converted."""

    seed: int
    process: ForkServerProcess
    started: float
    folder: tempfile.TemporaryDirectory[str]

    @property
    def verdict(self) -> Path:
        """Where the process writes its line."""
        return Path(self.folder.name, "verdict")

    def stop(self) -> None:
        """With its tools, if it still runs."""
        with suppress(ProcessLookupError):
            assert self.process.pid is not None
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()  # it may not have a group yet
        self.process.join()


def convert_all(seeds: Iterable[int], record: Path, jobs: int, timeout: float) -> None:
    """Convert the networks that the record lacks, and add a line for each.

    A network that runs into the time-out, or brings its process down, is a failure as well.
    """
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
            fork.stop()
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
    process = SERVER.Process(target=_convert, args=(seed, Path(folder.name)))
    process.start()
    return _Fork(seed, process, time.monotonic(), folder)


def _convert(seed: int, folder: Path) -> None:
    """In the process, which has a group of its own, so that its tools end with it."""
    try:
        os.setpgid(0, 0)
        tempfile.tempdir = str(folder)
        print_to(folder / "log")
        verdict = one_network.convert_one(seed, folder)
    except Exception:
        verdict = Verdict(seed, "traceback", traceback.format_exc(), "", 0.0)
    (folder / "verdict").write_text(verdict.line(), encoding="utf-8")


def _finished(fork: _Fork, timeout: float) -> Verdict | None:
    """None while it runs in its time."""
    status = fork.process.exitcode
    seconds = round(time.monotonic() - fork.started, 2)
    if status is None and seconds <= timeout:
        return None
    if status is None:
        fork.stop()
        return Verdict(fork.seed, "traceback", f"not done after {timeout:g} s", "", seconds)
    if not fork.verdict.exists():
        reason = f"the process ended with status {status}"
        return Verdict(fork.seed, "traceback", reason, "", seconds)
    lines = fork.verdict.read_text(encoding="utf-8").splitlines(keepends=True)
    (verdict,) = read(lines).values()
    return verdict
