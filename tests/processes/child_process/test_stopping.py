"""Tools in child processes: when they are stopped, and that nothing of them stays."""

import _thread
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from mmdet2tflite.errors import ToolFailed
from mmdet2tflite.processes import toolchain

SECONDS = 10.0
"""How long a test waits for what should happen at once."""


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError("did not happen in time")


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def read_pid(path: Path) -> int:
    return int(wait_for(lambda: path.exists() and path.read_text()))


def test_a_tool_that_takes_too_long_is_stopped(run: Callable[..., None]) -> None:
    started = time.monotonic()
    with pytest.raises(ToolFailed, match=r"stopped after its time-out of 0\.6 s"):
        run("import time\nwhile True: print('busy'); time.sleep(0.1)", timeout=0.6)
    assert time.monotonic() - started < SECONDS


def test_a_tool_that_falls_silent_is_stopped_with_what_it_said_last(
    run: Callable[..., None],
) -> None:
    with pytest.raises(ToolFailed, match=r"0\.6 s without a line of output(.|\n)*last words"):
        run("import time; print('last words'); time.sleep(60)", silence=0.6)


def test_a_tool_that_keeps_talking_may_take_longer_than_the_silence_allowed(
    run: Callable[..., None],
) -> None:
    run("import time\nfor _ in range(6): print('busy'); time.sleep(0.25)", silence=1.0)


def test_a_tool_that_ignores_sigterm_is_killed(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "SECONDS_TO_DIE", 0.3)
    with pytest.raises(ToolFailed, match="time-out") as caught:
        run(
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "while True: time.sleep(1)",
            timeout=0.6,
        )
    assert caught.type is ToolFailed  # and not ToolKilled: nobody else did it


def test_what_a_finished_tool_left_running_is_stopped(
    run: Callable[..., None], tmp_path: Path
) -> None:
    run(
        "import subprocess, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text("
        "str(subprocess.Popen(['sleep', '60']).pid))"
    )
    wait_for(lambda: is_gone(read_pid(tmp_path / "pid")))


def test_what_a_hung_tool_started_is_stopped_with_it(
    run: Callable[..., None], tmp_path: Path
) -> None:
    with pytest.raises(ToolFailed, match="time-out"):
        run(
            "import subprocess, pathlib\n"
            "sleeper = subprocess.Popen(['sleep', '60'])\n"
            f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(sleeper.pid))\n"
            "sleeper.wait()",
            timeout=1.0,
        )
    wait_for(lambda: is_gone(read_pid(tmp_path / "pid")))


def test_a_daemon_that_keeps_the_pipe_open_does_not_hold_up_the_run(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(toolchain, "SECONDS_TO_DIE", 0.3)
    started = time.monotonic()
    run(
        "import subprocess, pathlib\n"
        "daemon = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(daemon.pid))"
    )
    assert time.monotonic() - started < SECONDS
    os.kill(read_pid(tmp_path / "pid"), signal.SIGKILL)


def test_ctrl_c_stops_the_tool(run: Callable[..., None], log: Path, tmp_path: Path) -> None:
    def interrupt() -> None:
        read_pid(tmp_path / "pid")
        _thread.interrupt_main()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        run(
            "import os, pathlib, signal, sys, time\n"
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('asked to end')))\n"
            f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
            "time.sleep(60)"
        )
    assert is_gone(read_pid(tmp_path / "pid"))
    assert log.read_text() == "asked to end\n"


def test_a_tool_that_is_stopped_may_tidy_up(run: Callable[..., None], tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="time-out"):
        run(
            "import pathlib, signal, sys, time\n"
            "def tidy_up(*_):\n"
            f"    pathlib.Path({str(tmp_path / 'tidy')!r}).touch()\n"
            "    sys.exit()\n"
            "signal.signal(signal.SIGTERM, tidy_up)\n"
            "time.sleep(60)",
            timeout=1.0,
        )
    assert (tmp_path / "tidy").exists()


def test_the_tool_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    (tmp_path / "fake_tool.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import pathlib; from mmdet2tflite.processes.toolchain import run_python\n"
            f"run_python('fake', 'fake_tool', [], log=pathlib.Path({str(tmp_path / 'log')!r}))",
        ],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
    )
    tool = read_pid(tmp_path / "pid")
    assert not is_gone(tool)
    parent.kill()
    parent.wait()
    wait_for(lambda: is_gone(tool))


def test_a_log_that_cannot_be_written_ends_the_tool_instead_of_blocking_it(
    run: Callable[..., None], log: Path
) -> None:
    log.parent.mkdir()
    log.symlink_to("/dev/full")  # every write fails with ENOSPC
    with pytest.raises(OSError, match="No space left") as caught:
        run("while True: print('x' * 100)")
    assert caught.value.errno == errno.ENOSPC
