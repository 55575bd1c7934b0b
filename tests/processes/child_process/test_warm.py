"""A child that has done its imports before it is told what to run."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mmdet2tflite.errors import ModelError, ToolFailed
from mmdet2tflite.processes.toolchain import WarmPython, run_python

TOOL = """
import sys, fake_imports
print(sys.argv[1:], 'imported', fake_imports.imported_before, repr(sys.stdin.read()))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where a tool and what it imports lie; the import tells whether the tool ran already."""
    (tmp_path / "fake_imports.py").write_text(
        "import sys; imported_before = 'in advance' if '--warm' in sys.argv else 'late'"
    )
    (tmp_path / "fake_tool.py").write_text(TOOL)
    return {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}


@pytest.fixture
def warm(environment: dict[str, str]) -> Iterator[WarmPython]:
    with WarmPython("fake_imports", environment) as warm:
        yield warm


def test_it_runs_the_tool_with_its_arguments_and_nothing_to_read(
    warm: WarmPython, log: Path
) -> None:
    run_python("fake", "fake_tool", ["a b", Path("ü")], log=log, warm=warm)
    assert log.read_text() == "['a b', 'ü'] imported in advance ''\n"


def test_without_it_the_tool_does_its_own_imports(environment: dict[str, str], log: Path) -> None:
    run_python("fake", "fake_tool", ["a"], log=log, environment=environment)
    assert log.read_text() == "['a'] imported late ''\n"


def test_a_user_s_mistake_arrives_from_it_too(warm: WarmPython, tmp_path: Path, log: Path) -> None:
    (tmp_path / "fake_tool.py").write_text(
        "from mmdet2tflite.errors import ModelError; raise ModelError('found', 'expected', 'do')"
    )
    with pytest.raises(ModelError, match="found"):
        run_python("fake", "fake_tool", [], log=log, warm=warm)


def test_an_import_that_fails_is_the_tools_failure(environment: dict[str, str], log: Path) -> None:
    with (
        WarmPython("no_such_module", environment) as warm,
        pytest.raises(ToolFailed, match="No module named 'no_such_module'"),
    ):
        run_python("fake", "fake_tool", [], log=log, warm=warm)


def test_a_time_out_counts_from_the_start_of_the_tool(
    warm: WarmPython, tmp_path: Path, log: Path
) -> None:
    (tmp_path / "fake_tool.py").write_text("import time; time.sleep(60)")
    with pytest.raises(ToolFailed, match=r"time-out of 0\.5 s"):
        run_python("fake", "fake_tool", [], log=log, warm=warm, timeout=0.5)


def test_one_that_was_not_used_is_gone(environment: dict[str, str]) -> None:
    before = set(psutil.Process().children())
    with WarmPython("fake_imports", environment):
        (child,) = set(psutil.Process().children()) - before
    assert not child.is_running()
