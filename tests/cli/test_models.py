"""The commands on registered models: what they hand to the program that knows MLflow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmdet2tflite.config.project import MAIN_FLOW

FAKE = """
import json, os, sys
print(json.dumps({
    "words": sys.argv[1:],
    "folder": os.getcwd(),
    "telemetry": os.environ["MLFLOW_DISABLE_TELEMETRY"],
}))
sys.exit(7)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose program prints what it was started with and ends with status 7."""
    for path in (MAIN_FLOW, Path("tasks", "__init__.py"), Path("tasks", "tracking", "__init__.py")):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).touch()
    (tmp_path / "tasks" / "tracking" / "registry_command.py").write_text(FAKE)
    (tmp_path / "below").mkdir()
    return tmp_path.resolve()


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", *words],
        cwd=root / "below",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )


@pytest.mark.parametrize(
    ("words", "handed_over"),
    [
        (("champion", "m@3", "--json"), ["champion", "m@3", "--json"]),
        (("promote", "m"), ["promote", "m"]),
        (("rollback", "m", "--tracking", "t"), ["rollback", "m", "--tracking", "ROOT/below/t"]),
        (("pull", "m@champion", "-o", "f"), ["pull", "m@champion", "--out", "ROOT/below/f"]),
    ],
)
def test_a_command_becomes_the_program_at_the_project_root_with_absolute_paths(
    root, words, handed_over
):
    done = command(root, *words)
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout) == {
        "words": [word.replace("ROOT", str(root)) for word in handed_over],
        "folder": str(root),
        "telemetry": "true",
    }


def test_a_file_to_write_must_be_named(root):
    done = command(root, "pull", "m@champion")
    assert done.returncode == 2
    assert "--out" in done.stderr
