"""A tool that a test writes itself, run as the real ones are: in a child process, with a log."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmdet2tflite.processes.toolchain import run_python


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log" / "tool.log"


@pytest.fixture
def run(tmp_path: Path, log: Path) -> Callable[..., Any]:
    """``run(source, **options)`` runs Python source as the module ``fake_tool``."""

    def run_source(source: str, *arguments: str, tool: str = "fake", **options: Any) -> Any:
        (tmp_path / "fake_tool.py").write_text(source)
        environment = {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}", **options.pop("environment", {})}
        return run_python(tool, "fake_tool", arguments, log=log, environment=environment, **options)

    return run_source
