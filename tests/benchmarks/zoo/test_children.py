"""Tools in child processes, with the modules of the standard library in place of a tool."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from benchmarks.zoo import children
from benchmarks.zoo.children import Ended, Interrupted, end_all, in_one_line, run_child

ASLEEP = ["timeit", "-n", "1", "-r", "1", "import time; print('up', flush=True); time.sleep(60)"]


@pytest.fixture(autouse=True)
def running(monkeypatch):
    monkeypatch.setattr(children, "_ended", threading.Event())


def test_a_child_ends_with_its_status_and_all_that_it_printed(tmp_path):
    ended = run_child(["timeit", "-n", "1", "-r", "1", "print('done')"], tmp_path / "log", 60)
    assert ended.status == 0
    assert "done" in ended.output
    assert (tmp_path / "log").read_text() == ended.output


def test_a_child_over_its_time_is_stopped(tmp_path):
    ended = run_child(ASLEEP, tmp_path / "log", 1)
    assert ended.status is None
    assert ended.reason.startswith("stopped after ")
    assert not [child for child in psutil.Process().children() if child.is_running()]


def test_what_is_interrupted_has_no_result(tmp_path):
    log = tmp_path / "log"
    with ThreadPoolExecutor() as pool:
        future = pool.submit(run_child, ASLEEP, log, 60)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (log.exists() and "up" in log.read_text()):
            time.sleep(0.01)
        end_all()
        with pytest.raises(Interrupted):
            future.result(10)
    with pytest.raises(Interrupted):
        run_child(ASLEEP, log, 60)


def test_the_child_sees_the_packages_that_it_is_given_and_the_project(tmp_path):
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "only_here.py").write_text("import benchmarks.zoo; print('seen')\n")
    ended = run_child(["only_here"], tmp_path / "log", 60, paths=[folder])
    assert ended.last_line == "seen"


def test_a_reason_is_one_line_without_the_folders_of_this_machine():
    assert in_one_line("a | b\n  in /tmp/x/y/model.onnx") == "a / b in model.onnx"
    assert Ended(-9, 1.0, "ValueError: x\n").reason == "killed by SIGKILL; ValueError: x"
    assert Ended(3, 1.0, "\n").reason == "status 3"
