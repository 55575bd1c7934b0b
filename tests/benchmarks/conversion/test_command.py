"""``python -m benchmarks.conversion``: what is checked before it starts, and what it is told."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.conversion.__main__ import become_flow
from mmdet2tflite.cli.command_line import run_command
from mmdet2tflite.config.project import project_root

DIGITS = str(project_root() / "configs" / "experiments" / "digits.yaml")


@pytest.fixture
def become(monkeypatch):
    """Call the command; what it would have become, or None."""
    monkeypatch.setattr(os, "chdir", lambda folder: None)

    def call(*arguments: str) -> tuple[int, list[str] | None]:
        found: list[list[str]] = []
        monkeypatch.setattr(os, "execve", lambda path, words, env: found.append([*words]))
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command(become_flow)
        return ended.value.code, (found[0] if found else None)

    return call


def test_the_flow_is_told_everything(become, tmp_path):
    words = ["--set", "training.epochs=2", "--rounds", "7", "--out", str(tmp_path)]
    status, found = become(DIGITS, *words)
    assert status == 0
    assert found[1:4] == ["-m", "benchmarks.conversion.flow", DIGITS]
    assert found[4:] == ["--out", str(tmp_path), "--rounds", "7", "--set", "training.epochs=2"]


def test_pages_go_to_the_projects_documentation(become):
    _, found = become(DIGITS)
    assert Path(found[found.index("--out") + 1]) == project_root() / "docs" / "benchmarks"


def test_a_wrong_experiment_is_told_at_once(become, capsys):
    assert become("nowhere.yaml") == (2, None)
    assert "no experiment file" in capsys.readouterr().err
    assert become(DIGITS, "--set", "training.epoch=1") == (2, None)
    assert "unknown key 'training.epoch'" in capsys.readouterr().err


@pytest.mark.parametrize("rounds", ["0", "-1", "many", "1.5"])
def test_a_number_of_rounds_is_positive(become, rounds, capsys):
    assert become(DIGITS, f"--rounds={rounds}") == (2, None)
    assert "Invalid value for '--rounds'" in capsys.readouterr().err
