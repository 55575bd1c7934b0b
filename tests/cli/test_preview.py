"""``mmdet2tflite preview``: what it refuses before anything is loaded."""

from pathlib import Path

import pytest

from mmdet2tflite.cli import main as cli
from mmdet2tflite.processes.exit_status import run_and_report


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture):
    """Run the command, which must end with status 2; returns what it says."""

    def call(*words: str) -> str:
        file = tmp_path / "experiment.yaml"
        file.write_text("name: tiny\ndataset: {kind: digits}\n")
        arguments = ["preview", str(file), *words]
        assert run_and_report(lambda: cli.app(arguments, standalone_mode=False)) == 2
        return capsys.readouterr().err

    return call


def test_an_experiment_that_trains_nothing_has_nothing_to_show(refused, tmp_path):
    settings = ("--set", "training.epochs=0", "--set", "training.checkpoint=weights.pth")
    said = refused(*settings, "-o", str(tmp_path / "out"))
    assert "this experiment trains nothing" in said
    assert "--set training.epochs=60" in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_named(refused, tmp_path):
    (tmp_path / "taken").touch()
    said = refused("-o", str(tmp_path / "taken"))
    assert f"cannot write to {tmp_path / 'taken'}: File exists" in said
    assert "change --out" in said


def test_a_setting_that_does_not_exist_is_refused(refused):
    assert "unknown key 'training.epoch'" in refused("--set", "training.epoch=3")
