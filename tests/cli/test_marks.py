"""What is asked of ``mmdet2tflite marks``, and what it answers. tests/toolchain has the tracing."""

import json

import pytest

from mmdet2tflite.cli import marks
from mmdet2tflite.cli.marks import as_json, find_marks
from mmdet2tflite.cli.marks_table import print_marks
from mmdet2tflite.detector.command_requests import Mark, MarksRequest
from mmdet2tflite.errors import ConfigError, ToolFailed

MARKS = [
    Mark("forward:input", "input", "float", (1, 3, 32, 64)),
    Mark("nms[1]:output", "dets.0", "float", (1, 5)),
    Mark("nms[1]:output", "dets.1", "int64", ()),
]


@pytest.fixture
def traced(monkeypatch):
    """A child that finds ``MARKS``; what it was asked."""
    requests = []

    def run(tool, worker, arguments, **_):
        (file,) = arguments
        requests.append(MarksRequest.model_validate_json(file.read_bytes()))
        return json.loads(as_json(MARKS))

    monkeypatch.setattr(marks, "run_python", run)
    return requests


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "weights.pth").touch()
    (tmp_path / "config.py").touch()
    return tmp_path


def test_a_checkpoint_is_its_weights_or_its_folder(traced, checkpoint):
    for source in (checkpoint, checkpoint / "weights.pth"):
        assert find_marks(source, trust_config=True) == MARKS
    assert [request.network for request in traced] == [checkpoint / "config.py"] * 2


def test_a_config_of_a_stranger_is_not_run(traced, checkpoint):
    with pytest.raises(ConfigError, match=r"config\.py is a program") as error:
        find_marks(checkpoint / "weights.pth")
    assert "--trust-config" in error.value.remedy
    assert not traced


def test_a_config_of_the_own_store_is_run_and_a_link_out_of_it_is_not(
    traced, checkpoint, tmp_path, monkeypatch
):
    monkeypatch.setattr(marks, "project_root", lambda: tmp_path / "project")
    own = tmp_path / "project" / "artifacts" / "checkpoint" / "key"
    own.mkdir(parents=True)
    (own / "config.py").touch()
    assert find_marks(own) == MARKS
    (own / "config.py").unlink()
    (own / "config.py").symlink_to(checkpoint / "config.py")
    with pytest.raises(ConfigError, match="is a program"):
        find_marks(own)


def test_nothing_is_left_in_the_temporary_folder(traced, checkpoint, own_lock, tmp_path):
    find_marks(checkpoint, trust_config=True)
    assert list(tmp_path.glob("mmdet2tflite-marks-*")) == []


def test_the_log_that_a_failure_names_is_kept(monkeypatch, checkpoint, own_lock, tmp_path):
    def fail(*_, log, **__):
        log.write_text("why")
        raise ToolFailed("mmdeploy failed", remedy=f"read {log}")

    monkeypatch.setattr(marks, "run_python", fail)
    with pytest.raises(ToolFailed):
        find_marks(checkpoint, trust_config=True)
    (log,) = tmp_path.glob("mmdet2tflite-marks-*/marks.log")
    assert log.read_text() == "why"


def test_weights_without_their_config_are_refused_with_what_is_missing(tmp_path):
    (tmp_path / "weights.pth").touch()
    with pytest.raises(ConfigError, match=r"there is no .*config\.py") as error:
        find_marks(tmp_path / "weights.pth")
    assert "name the experiment" in error.value.remedy


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no .*none\.pth"):
        find_marks(tmp_path / "none.pth")


def test_settings_belong_to_an_experiment(checkpoint):
    with pytest.raises(ConfigError, match="--set"):
        find_marks(checkpoint, ["detector.input_size=[64,64]"])


def test_the_table_names_each_mark_once_and_every_tensor(capsys):
    print_marks(MARKS)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["forward:input", "input", "float", "1", "x", "3", "x", "32", "x", "64"] in lines
    assert ["nms[1]:output", "dets.0", "float", "1", "x", "5"] in lines
    assert ["dets.1", "int64", "scalar"] in lines
