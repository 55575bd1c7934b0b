"""An environment beside the project's own: when it is made, where it lies, what runs in it."""

import sys
from pathlib import Path

import pytest

from mmdet2tflite.errors import ConfigError, ToolFailed
from mmdet2tflite.processes import own_environment
from mmdet2tflite.processes.own_environment import environment_python, lock_digest
from mmdet2tflite.processes.toolchain import PROJECT, run_python

NAME = "tools"


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A project with one lock, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "environments").mkdir()
    lock_of(tmp_path).write_text("tool==1\n")
    return tmp_path


@pytest.fixture
def calls(monkeypatch) -> list[list[str]]:
    """Instead of uv: leaves an interpreter where it would."""
    found = []

    def uv(tool, module, words, **options):
        found.append(words[:2])
        assert (tool, module) == ("uv", "uv")
        if words[0] == "venv":
            assert words[-2] == sys.executable
            (Path(words[-1]) / "bin").mkdir(parents=True)
            (Path(words[-1]) / "bin" / "python").touch()
        elif "broken" in Path(words[-1]).read_text():
            raise ToolFailed("uv ended with status 1")

    monkeypatch.setattr(own_environment, "run_python", uv)
    return found


def lock_of(root: Path) -> Path:
    return root / "environments" / f"{NAME}.lock"


def python_of(root: Path) -> Path:
    return environment_python(root, NAME, root / "log")


def test_it_is_made_once_in_the_cache(root, calls):
    first = python_of(root)
    assert first.is_relative_to(root / "cache")
    assert first.exists()
    assert python_of(root) == first
    assert calls == [["venv", "--quiet"], ["pip", "sync"]]


def test_another_lock_is_another_environment_and_another_digest(root, calls):
    first, digest = python_of(root), lock_digest(root, NAME)
    lock_of(root).write_text("tool==2\n")
    assert python_of(root) != first
    assert lock_digest(root, NAME) != digest
    assert first.exists()


def test_what_was_left_half_made_is_made_afresh(root, calls):
    lock_of(root).write_text("broken==1\n")
    for _ in range(2):
        with pytest.raises(ToolFailed):
            python_of(root)
    assert calls == 2 * [["venv", "--quiet"], ["pip", "sync"]]


def test_an_environment_without_a_lock_is_refused(root):
    with pytest.raises(ConfigError, match="no environment 'other'"):
        environment_python(root, "other", root / "log")
    with pytest.raises(ConfigError, match="no environment 'other'"):
        lock_digest(root, "other")


def test_a_child_of_another_interpreter_finds_the_project_and_can_be_repeated(tmp_path):
    log, python = tmp_path / "tool.log", tmp_path / "python"
    python.symlink_to(sys.executable)
    run_python("tool", "json.tool", ["--help"], log=log, python=python)
    assert "usage" in log.read_text()
    script = (tmp_path / "tool.reproduce.sh").read_text()
    assert f"{python} -m json.tool" in script
    assert f"export PYTHONPATH={PROJECT}" in script
