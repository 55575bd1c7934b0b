"""What other threads do when the main thread is interrupted."""

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from mmdet2tflite.processes.interruption import acquire, check_interruption, interruptible
from mmdet2tflite.processes.toolchain import run_python

SECONDS = 10.0
"""How long a test waits for what should happen at once."""


def interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        raise KeyboardInterrupt


def test_everybody_goes_on_as_long_as_nothing_happened():
    with interruptible():
        check_interruption()
    check_interruption()


def test_all_who_ask_after_an_interruption_is_interrupted():
    interrupt()
    with pytest.raises(KeyboardInterrupt):
        check_interruption()


def test_an_interruption_is_forgotten_when_something_new_begins():
    interrupt()
    with interruptible():
        check_interruption()


def in_a_thread(function, *arguments):
    """Start it; the function returned waits for its end and gives the exception."""
    found = []

    def run():
        try:
            function(*arguments)
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def end():
        thread.join(SECONDS)
        assert not thread.is_alive()
        return found[0]

    return end


def test_a_tool_in_another_thread_is_stopped(tmp_path: Path, monkeypatch):
    source = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    (tmp_path / "endless_tool.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    monkeypatch.chdir(tmp_path)
    began = threading.Event()

    def run():
        began.set()
        run_python("endless", "endless_tool", [], log=tmp_path / "tool.log")

    end = in_a_thread(run)
    assert began.wait(SECONDS)
    interrupt()
    assert isinstance(end(), KeyboardInterrupt)


def test_a_thread_that_waits_for_a_lock_gives_up(tmp_path: Path):
    lock = tmp_path / "lock"
    with FileLock(lock):
        end = in_a_thread(acquire, FileLock(lock))
        interrupt()
        assert isinstance(end(), KeyboardInterrupt)


def test_a_lock_that_becomes_free_is_taken(tmp_path: Path):
    lock = FileLock(tmp_path / "lock")
    acquire(lock)
    assert lock.is_locked
