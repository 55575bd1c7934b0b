"""Prefect's key is the store's key, and its record says what the store says; what else a stage
becomes as a task."""

import io
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prefect import Task
from prefect.filesystems import LocalFileSystem
from prefect.results import ResultStore
from rich.console import Console

from mmdet2tflite.artifacts import Dataset, Report
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import ConfigError, ModelError
from mmdet2tflite.processes import machine
from mmdet2tflite.report import terminal
from mmdet2tflite.stage import Stage
from mmdet2tflite.store.store import Store
from tasks.caching import Call, StoreKey, stage_task

SECONDS = 10.0
"""How long a test waits for what should happen at once."""


def experiment(store: Path | str, **dataset: Any) -> Experiment:
    scenes = {"kind": "digits", "train_images": 1, "val_images": 1, **dataset}
    return Experiment.model_validate({"name": "test", "dataset": scenes, "store": str(store)})


def describe(experiment: Experiment) -> Call[Dataset]:
    return Call(DATASET, experiment.dataset, timeout=60)


@dataclass
class Context:
    """What Prefect tells a policy of a task's run: where its results are."""

    result_store: ResultStore


@pytest.fixture
def policy(tmp_path: Path) -> StoreKey:
    policy = StoreKey(describe)
    policy._records = tmp_path / "records"
    policy._records.mkdir()
    return policy


@pytest.fixture
def context(policy: StoreKey, tmp_path: Path) -> Context:
    (tmp_path / "results").mkdir()
    return Context(
        ResultStore(
            metadata_storage=LocalFileSystem(basepath=str(policy._records)),
            result_storage=LocalFileSystem(basepath=str(tmp_path / "results")),
        )
    )


def key(policy: StoreKey, context: Context, experiment: Experiment) -> str:
    found = policy.compute_key(context, {"experiment": experiment}, {})  # type: ignore[arg-type]
    assert found is not None
    return found


def test_the_key_is_that_of_the_stage_and_its_store(policy, context, tmp_path):
    setup = experiment(tmp_path / "a")
    assert key(policy, context, setup) == key(policy, context, setup)
    assert DATASET.key(setup.dataset) in key(policy, context, setup)
    assert key(policy, context, setup) != key(policy, context, experiment(tmp_path / "a", seed=1))
    assert key(policy, context, setup) != key(policy, context, experiment(tmp_path / "b"))


def test_what_is_in_the_store_is_recorded_whoever_made_it(policy, context, tmp_path):
    setup = experiment(tmp_path / "store")
    assert not context.result_store.exists(key(policy, context, setup))
    dataset = DATASET.build(Store(setup.store), setup.dataset, timeout=60)
    name = key(policy, context, setup)
    assert context.result_store.read(name).result == dataset


def test_a_record_goes_with_its_artefact(policy, context, tmp_path):
    setup = experiment(tmp_path / "store")
    store = Store(setup.store)
    dataset = DATASET.build(store, setup.dataset, timeout=60)
    assert context.result_store.exists(key(policy, context, setup))
    shutil.rmtree(store.path(dataset))
    assert not context.result_store.exists(key(policy, context, setup))


def test_a_record_follows_an_artefact_that_was_made_again(policy, context, tmp_path):
    setup = experiment(tmp_path / "store")
    dataset = DATASET.build(Store(setup.store), setup.dataset, timeout=60)
    old = dataset.model_copy(update={"digest": "of another one"})
    context.result_store.write(old, key=key(policy, context, setup))
    assert context.result_store.read(key(policy, context, setup)).result == dataset


def test_a_record_whose_result_was_deleted_is_written_again(policy, context, tmp_path):
    setup = experiment(tmp_path / "store")
    dataset = DATASET.build(Store(setup.store), setup.dataset, timeout=60)
    name = key(policy, context, setup)
    shutil.rmtree(tmp_path / "results")
    key(policy, context, setup)
    assert context.result_store.read(name).result == dataset


def test_a_store_that_cannot_be_asked_is_for_the_body_to_tell_of(policy, context):
    call = {"experiment": experiment("no://such")}
    assert policy.compute_key(context, call, {}) is None


def test_a_call_that_is_wrong_has_no_key_and_its_body_says_why(tmp_path):
    def refuse(experiment: Experiment) -> Call[Dataset]:
        raise ConfigError("no such file")

    policy = StoreKey(refuse)
    assert policy.compute_key(None, {"experiment": experiment(tmp_path)}, {}) is None  # type: ignore[arg-type]


def report(*_: Any) -> Report:
    return Report(runtime="litert", variant="", model="")


def reporting(run: Callable[..., Any], **options: Any) -> Task[..., Report]:
    """The task of a stage that does so."""

    @stage_task
    def model_to_report(experiment: Experiment) -> Call[Report]:
        return Call(Stage("report", run), None, timeout=60, label="mirror int8", **options)

    return model_to_report


@pytest.mark.parametrize("side_by_side", [True, False])
def test_only_a_stage_that_runs_side_by_side_waits_for_a_measurement(
    own_lock, tmp_path, side_by_side
):
    ran = threading.Event()
    task = reporting(lambda *_: (ran.set(), report())[1], side_by_side=side_by_side)
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
        reporting(refuse).fn(experiment(tmp_path))
    assert output.getvalue() == "✗ model → report  mirror int8: Model: it is [broken]\n"
