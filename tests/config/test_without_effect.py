"""Settings that have no effect beside others: refused when they are named, and not written."""

from pathlib import Path
from typing import Any

import pytest

from mmdet2tflite.config.experiment import Experiment, Training
from mmdet2tflite.config.loading import load_experiment, parse_experiment
from mmdet2tflite.errors import ConfigError


def parse(training: dict[str, Any]) -> Experiment:
    return parse_experiment({"name": "test", "dataset": {"kind": "digits"}, "training": training})


def mistake(training: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(training)
    return caught.value.found


KEPT = "optimizer: config keeps optimizer and schedule of the mmdet config"
WITHOUT_EFFECT = [
    ("learning_rate", {"optimizer": "config", "learning_rate": 2e-3}, KEPT),
    ("weight_decay", {"optimizer": "config", "weight_decay": 0.0}, KEPT),
    ("warmup_iterations", {"optimizer": "config", "warmup_iterations": 9}, KEPT),
    (
        "ema_momentum",
        {"augmentation": "config", "ema_momentum": 0.01},
        "augmentation: config keeps",
    ),
    ("plain_epochs", {"augmentation": {"mosaic": False, "plain_epochs": 3}}, "without mosaic"),
    ("tuning", {"tuning": {"iterations": 9}}, "quantised is false: no file is tuned"),
    ("rendezvous", {"rendezvous": "node0:29500"}, "machines is 1"),
]


@pytest.mark.parametrize(("name", "training", "reason"), WITHOUT_EFFECT)
def test_a_setting_without_effect_beside_another_one_is_refused_with_the_reason(
    name: str, training: dict[str, Any], reason: str
) -> None:
    assert f"{name} has no effect: {reason}" in mistake(training)


@pytest.mark.parametrize(
    "training",
    [
        {"optimizer": "config", "ema_momentum": 0.01, "save_interval": 3},
        {"augmentation": "config", "learning_rate": 1e-3},
        {"augmentation": {"mosaic": False}},
        {"machines": 2, "rendezvous": "node0:29500"},
        {"epochs": 0, "checkpoint": "weights.pth", "learning_rate": 1e-3},
    ],
    ids=str,
)
def test_what_was_written_of_an_experiment_is_read_again(training: dict[str, Any]) -> None:
    """As a child process does."""
    read = parse(training)
    again = Experiment.model_validate(read.model_dump(mode="json"))
    assert again == read.model_copy(
        update={"training": read.training.model_copy(update={"rendezvous": None})}
    )


def test_what_has_no_effect_is_not_written() -> None:
    training = parse({"optimizer": "config"}).training
    missing = set(type(training).model_fields) - set(training.model_dump())
    rates = {"learning_rate", "weight_decay", "warmup_iterations"}
    assert missing == {*rates, "rendezvous", "tuning"}


def test_null_takes_a_setting_of_the_file_back(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text("name: n\ndataset: {kind: digits}\ntraining: {learning_rate: 0.1}\n")
    with pytest.raises(ConfigError, match="learning_rate has no effect"):
        load_experiment(file, ["training.optimizer=config"])
    loaded = load_experiment(file, ["training.optimizer=config", "training.learning_rate=null"])
    assert loaded.training.learning_rate == Training().learning_rate
    with pytest.raises(ConfigError, match=r"unknown key 'training[.]learnin_rate'"):
        load_experiment(file, ["training.learnin_rate=null"])


@pytest.mark.parametrize("name", ["bccd", "digits", "matrix", "rtmdet_digits"])
def test_the_experiments_of_the_project_have_no_setting_without_effect(name: str) -> None:
    load_experiment(Path(__file__).parents[2] / f"configs/experiments/{name}.yaml")
