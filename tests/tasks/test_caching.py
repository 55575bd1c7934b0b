"""Prefect's key is the store's key, and a record whose folder is gone is taken back."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmdet2tflite.config import Experiment
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.store import Store
from tasks.caching import Call, StoreKey


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
