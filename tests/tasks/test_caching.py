"""Prefect's key is the store's key, a record whose folder is gone is taken back; what else a stage
becomes as a task."""

import io
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mmdet2tflite.artifacts import Report
from mmdet2tflite.config import Experiment
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import ConfigError, ModelError
from mmdet2tflite.evaluate import machine
from mmdet2tflite.report import terminal
from mmdet2tflite.stage import Stage
from mmdet2tflite.store import Store
from tasks.caching import Call, StoreKey, arrow

SECONDS = 10.0
"""How long a test waits for what should happen at once."""


def experiment(store: Path, **dataset: Any) -> Experiment:
    scenes = {"kind": "digits", "train_images": 1, "val_images": 1, **dataset}
    return Experiment.model_validate({"name": "test", "dataset": scenes, "store": str(store)})


def describe(experiment: Experiment) -> Call:
    return Call(experiment.dataset, timeout=60)


@pytest.fixture
def policy(tmp_path: Path) -> StoreKey:
    policy = StoreKey(DATASET, describe)
    policy._records = tmp_path / "records"
    policy._records.mkdir()
    return policy


def key(policy: StoreKey, experiment: Experiment) -> str | None:
    return policy.compute_key(None, {"experiment": experiment}, {})  # type: ignore[arg-type]


def test_the_key_is_that_of_the_stage_and_its_store(policy, tmp_path):
    setup = experiment(tmp_path / "a")
    assert key(policy, setup) == key(policy, setup)
    assert DATASET.key(setup.dataset) in str(key(policy, setup))
    assert key(policy, setup) != key(policy, experiment(tmp_path / "a", seed=1))
    assert key(policy, setup) != key(policy, experiment(tmp_path / "b"))


def test_a_record_counts_as_long_as_its_artefact_exists(policy, tmp_path):
    setup = experiment(tmp_path / "store")
    store = Store(setup.store)
    dataset = DATASET.build(store, setup.dataset, timeout=60)
    record = policy._records / str(key(policy, setup))
    record.touch()
    key(policy, setup)
    assert record.exists()
    shutil.rmtree(store.path(dataset))
    key(policy, setup)
    assert not record.exists()


def test_a_record_of_an_artefact_that_was_made_again_since_is_taken_back(policy, tmp_path):
    setup = experiment(tmp_path / "store")
    DATASET.build(Store(setup.store), setup.dataset, timeout=60)
    record = policy._records / str(key(policy, setup))
    record.touch()
    os.utime(record, (0, 0))
    key(policy, setup)
    assert not record.exists()


def test_a_call_that_is_wrong_has_no_key_and_its_body_says_why(tmp_path):
    def refuse(experiment: Experiment) -> Call:
        raise ConfigError("no such file")

    assert key(StoreKey(DATASET, refuse), experiment(tmp_path)) is None


def report(*_: Any) -> Report:
    return Report(runtime="litert", variant="", model="")


def model_to_report(experiment: Experiment) -> Call:
    return Call(None, timeout=60, label="mirror int8")


@pytest.mark.parametrize("side_by_side", [True, False])
def test_only_a_stage_that_runs_side_by_side_waits_for_a_measurement(
    own_lock, tmp_path, side_by_side
):
    ran = threading.Event()
    stage = Stage("report", lambda *_: (ran.set(), report())[1])
    task = arrow(stage, side_by_side=side_by_side)(model_to_report)
    thread = threading.Thread(target=task.fn, args=(experiment(tmp_path),))
    with machine.alone():
        thread.start()
        assert ran.wait(0.5 if side_by_side else SECONDS) != side_by_side
    assert ran.wait(SECONDS)
    thread.join(SECONDS)


def test_a_stage_that_fails_says_so_at_once_in_a_line(tmp_path, monkeypatch):
    def refuse(*_: Any) -> Report:
        raise ModelError("it is [broken]", "another one")

    output = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=output, width=120))
    with pytest.raises(ModelError):
        arrow(Stage("report", refuse))(model_to_report).fn(experiment(tmp_path))
    assert output.getvalue() == "✗ model → report  mirror int8: Model: it is [broken]\n"
