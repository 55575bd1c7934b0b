"""Tools in child processes: what is logged, and how a failure is reported."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdet2tflite.errors import StoreError, ToolFailed, ToolKilled


def test_what_the_tool_prints_is_in_the_log_in_order(run: Callable[..., None], log: Path) -> None:
    run("import sys; print('one'); print('two', file=sys.stderr); print('three')")
    assert log.read_text() == "one\ntwo\nthree\n"


def test_the_arguments_arrive_unchanged(run: Callable[..., None], log: Path) -> None:
    run("import sys; print(sys.argv[1:])", "a b", "--x=$HOME", "'")
    assert log.read_text() == "['a b', '--x=$HOME', \"'\"]\n"


def test_a_second_attempt_is_appended_to_the_log(run: Callable[..., None], log: Path) -> None:
    run("print('first')")
    run("print('second')")
    assert log.read_text() == "first\nsecond\n"


def test_a_tool_that_dies_is_reported_with_the_last_15_lines_of_its_log(
    run: Callable[..., None], log: Path
) -> None:
    with pytest.raises(ToolFailed) as caught:
        run("for i in range(40): print('line', i)\nraise SystemExit(3)")
    found = caught.value.found
    assert found.startswith("fake ended with status 3")
    assert "line 25\n" in found
    assert found.endswith("line 39")
    assert "line 24\n" not in found
    assert str(log) in caught.value.remedy


def test_the_report_names_the_version_of_an_installed_tool(run: Callable[..., None]) -> None:
    with pytest.raises(ToolFailed, match=f"pytest {pytest.__version__} ended with status 1"):
        run("raise SystemExit(1)", tool="pytest")


def test_a_traceback_is_part_of_the_report(run: Callable[..., None]) -> None:
    with pytest.raises(ToolFailed, match="ZeroDivisionError"):
        run("1 / 0")


def test_reproduce_runs_the_tool_again_with_its_environment_folder_and_arguments(
    run: Callable[..., None], log: Path, tmp_path: Path
) -> None:
    source = "import os, sys; print(os.getcwd(), os.environ['COLOUR'], sys.argv[1:]); sys.exit(7)"
    with pytest.raises(ToolFailed):
        run(source, "a b", environment={"COLOUR": "deep blue"})
    script = log.with_suffix(".reproduce.sh")
    again = subprocess.run([script], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 7
    assert again.stdout == log.read_text() == f"{os.getcwd()} deep blue ['a b']\n"


def test_a_tool_killed_by_the_kernel_is_reported_with_the_likely_cause(
    run: Callable[..., None],
) -> None:
    with pytest.raises(ToolKilled, match=r"killed by SIGKILL \(out of memory"):
        run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_a_crash_is_reported_with_its_signal(run: Callable[..., None]) -> None:
    with pytest.raises(ToolFailed, match="killed by SIGSEGV") as caught:
        run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert caught.type is not ToolKilled


def test_a_disk_that_is_full_for_the_child_is_the_stores_error(run: Callable[..., None]) -> None:
    with pytest.raises(StoreError, match="no space left on the disk of model"):
        run("import errno; raise OSError(errno.ENOSPC, 'No space left on device', 'model.onnx')")
