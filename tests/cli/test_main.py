"""The command line: exit statuses, messages, and what it hands to the flow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmdet2tflite.cli import diagnosis as doctor
from mmdet2tflite.cli.diagnosis import Distribution, Override, read_overrides, read_pins
from mmdet2tflite.config import project
from mmdet2tflite.config.project import MAIN_FLOW, project_root
from mmdet2tflite.errors import ConfigError, DataError
from mmdet2tflite.processes.exit_status import Incomplete, run_and_report

EXPERIMENT = "name: test\ndataset: {kind: digits}\n"
FAKE_FLOW = """
import json, os, sys
print(json.dumps({
    "arguments": sys.argv[1:],
    "folder": os.getcwd(),
    "telemetry": os.environ["MLFLOW_DISABLE_TELEMETRY"],
}))
sys.exit(7)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose flow prints what it was started with and ends with status 7."""
    root = tmp_path / "project"
    (root / MAIN_FLOW).parent.mkdir(parents=True)
    (root / MAIN_FLOW).touch()
    (root / MAIN_FLOW).with_name("__init__.py").touch()
    (root / MAIN_FLOW).with_name("__main__.py").write_text(FAKE_FLOW)
    (root / "experiment.yaml").write_text(EXPERIMENT)
    return root.resolve()


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mmdet2tflite.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "COLUMNS": "100"},
    )


# --- run -----------------------------------------------------------------------------------------


def test_run_becomes_the_flow_at_the_project_root_with_an_absolute_path(root: Path) -> None:
    (root / "deep" / "er").mkdir(parents=True)
    done = command(
        "run",
        "../../experiment.yaml",
        "--set",
        "training.epochs=3",
        "--set",
        "store=a b",
        cwd=root / "deep" / "er",
    )
    assert done.returncode == 7, done.stderr
    assert json.loads(done.stdout) == {
        "arguments": [
            str(root / "experiment.yaml"),
            "--set",
            "training.epochs=3",
            "--set",
            "store=a b",
        ],
        "folder": str(root),
        "telemetry": "true",
    }


def test_a_mistake_in_the_experiment_is_a_message_and_status_2_before_the_flow_starts(
    root: Path,
) -> None:
    done = command("run", "experiment.yaml", "--set", "training.epoch=3", cwd=root)
    assert done.returncode == 2
    assert "unknown key 'training.epoch'; the nearest known key is 'epochs'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_missing_experiment_is_a_message_and_status_2(root: Path) -> None:
    done = command("run", "nowhere.yaml", cwd=root)
    assert done.returncode == 2
    assert done.stderr.startswith("Configuration: there is no experiment file nowhere.yaml\n")


def test_an_unknown_command_is_status_2(root: Path) -> None:
    done = command("rum", cwd=root)
    assert done.returncode == 2
    assert "rum" in done.stderr


def test_help_names_every_command_and_imports_nothing_heavy(root: Path) -> None:
    done = command("--help", cwd=root)
    assert done.returncode == 0
    assert "run" in done.stdout
    assert "doctor" in done.stdout
    listing = "import sys, mmdet2tflite.cli.main; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", listing], text=True).split()
    heavy = {"torch", "tensorflow", "numpy", "pydantic", "prefect", "mlflow", "rich", "fsspec"}
    assert heavy.isdisjoint(loaded)


# --- the project root ----------------------------------------------------------------------------


def test_the_nearest_root_above_the_current_folder_wins(root: Path) -> None:
    inner = root / "inner"
    (inner / MAIN_FLOW).parent.mkdir(parents=True)
    (inner / MAIN_FLOW).touch()
    (inner / "configs").mkdir()
    assert project_root(inner / "configs") == inner
    assert project_root(root / "configs") == root


def test_without_one_above_the_current_folder_the_clone_that_holds_the_package_is_taken(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "__file__", str(root / "mmdet2tflite" / "project.py"))
    assert project_root(tmp_path) == root


def test_without_a_clone_the_remedy_is_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project, "__file__", str(tmp_path / "site-packages" / "project.py"))
    with pytest.raises(ConfigError) as caught:
        project_root(tmp_path)
    assert "clone the repository" in caught.value.remedy


# --- exit statuses -------------------------------------------------------------------------------


def test_a_function_that_returns_is_status_0() -> None:
    assert run_and_report(lambda: "anything") == 0


def test_a_mistake_of_the_user_is_status_2_with_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails() -> None:
        raise DataError("box 7 has no area", "a positive area", "remove it")

    assert run_and_report(fails) == 2
    assert capsys.readouterr().err == (
        "Data set: box 7 has no area\n  expected: a positive area\n  to do:    remove it\n"
    )


def test_what_is_done_but_for_something_is_status_1_with_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def incomplete() -> None:
        raise Incomplete("failed: widen")

    assert run_and_report(incomplete) == 1
    assert capsys.readouterr().err == "failed: widen\n"


def test_ctrl_c_is_status_130_and_says_that_nothing_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert run_and_report(interrupted) == 130
    assert "finished stages are kept" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_and_report(lambda: 1 // 0)


# --- doctor --------------------------------------------------------------------------------------


def test_pins_are_read_without_their_markers_and_comments() -> None:
    lock = (
        "# made by\nnumpy==2.2.6\n    # via torch\n"
        "pendulum==3.3.0 ; python_full_version < '3.13'\nruamel-yaml.x==1.0\n"
    )
    assert read_pins(lock) == {"numpy": "2.2.6", "pendulum": "3.3.0", "ruamel-yaml.x": "1.0"}


def test_overrides_are_read_with_their_reasons() -> None:
    text = "# Heading.\nprotobuf==7.35.1   # asks for <=3.20.2; not needed\n\nonnx==1.0\n"
    assert read_overrides(text) == [
        Override("protobuf==7.35.1", "asks for <=3.20.2; not needed"),
        Override("onnx==1.0", ""),
    ]


@pytest.mark.parametrize(
    ("pinned", "installed", "state"),
    [("1.0", "1.0", "ok"), ("1.0", "1.1", "differs"), ("1.0", None, "missing")],
)
def test_a_distribution_is_compared_with_its_pin(
    pinned: str, installed: str | None, state: str
) -> None:
    assert Distribution("x", pinned, installed).state == state


PROBES_ANSWER = 'print("a warning")\nprint(\'["a GPU"]\')'
PROBES_CRASH = "raise RuntimeError('no driver')"


@pytest.fixture
def diagnosable(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (root / "requirements.lock").write_text("numpy==0.1\n")
    (root / "requirements.overrides").write_text("a==1  # why\n")
    patches = root / "mmdet2tflite" / "detector"
    patches.mkdir(parents=True)
    for package in (patches.parent, patches):
        (package / "__init__.py").touch()
    (patches / "compat.py").write_text("print('[]')")
    monkeypatch.setattr(doctor, "PROBE_OF_GPUS", PROBES_ANSWER)
    return root


def test_doctor_compares_with_the_lock_and_asks_children_about_gpus_and_patches(
    diagnosable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MAIN_DISTRIBUTIONS", ("numpy", "no-such-distribution"))
    diagnosis = doctor.diagnose(diagnosable)
    assert diagnosis.machine.gpus == ["a GPU"]
    assert diagnosis.mends == []
    assert [d.state for d in diagnosis.distributions] == ["differs", "missing"]
    assert diagnosis.missing == ["no-such-distribution"]
    assert diagnosis.overrides == [Override("a==1", "why")]
    assert diagnosis.problems == []


def test_a_probe_that_crashes_is_a_problem_with_its_last_line_and_the_rest_is_shown(
    diagnosable: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "PROBE_OF_GPUS", PROBES_CRASH)
    diagnosis = doctor.diagnose(diagnosable)
    assert diagnosis.machine.gpus is None
    assert diagnosis.problems == ["torch: RuntimeError: no driver"]
    doctor.print_json(diagnosis)
    assert json.loads(capsys.readouterr().out)["machine"]["gpus"] is None
    doctor.print_diagnosis(diagnosis)
    assert "RuntimeError: no driver" in capsys.readouterr().out
