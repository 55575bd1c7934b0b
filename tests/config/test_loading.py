"""Reading an experiment: defaults, overrides, and an explanation for every mistake."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmdet2tflite.config.dataset import CocoData, DigitsData
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import load_experiment, parse_experiment
from mmdet2tflite.errors import ConfigError

DIGITS = {"kind": "digits"}
COCO = {
    "kind": "coco",
    "train": {"annotations": "train.json"},
    "val": {"annotations": "val.json"},
}


def experiment(**sections: Any) -> dict[str, Any]:
    return {"name": "test", "dataset": DIGITS, **sections}


def mistake(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_experiment(values)
    return caught.value.found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(experiment(training={"epochs": 7})))
    return path


def test_what_the_file_does_not_say_has_its_default(file: Path) -> None:
    loaded = load_experiment(file)
    assert loaded.training.epochs == 7
    assert loaded.training.batch_size == Experiment.model_validate(experiment()).training.batch_size
    assert loaded.dataset == DigitsData(kind="digits")


def test_an_override_replaces_one_setting_and_leaves_its_neighbours(file: Path) -> None:
    loaded = load_experiment(file, ["training.batch_size=4"])
    assert (loaded.training.batch_size, loaded.training.epochs) == (4, 7)


def test_an_override_creates_the_sections_on_its_way(file: Path) -> None:
    loaded = load_experiment(file, ["evaluation.latency.threads=[2, 4]"])
    assert loaded.evaluation.latency.threads == (2, 4)


def test_the_last_of_two_overrides_wins(file: Path) -> None:
    assert load_experiment(file, ["training.seed=1", "training.seed=2"]).training.seed == 2


def test_the_value_of_an_override_may_contain_an_equals_sign(file: Path) -> None:
    assert load_experiment(file, ["store=memory://a=b"]).store == "memory://a=b"


@pytest.mark.parametrize("override", ["training.epochs", "=3", ""])
def test_an_override_without_key_or_value_is_refused(file: Path, override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_experiment(file, [override])
    assert caught.value.expected == "dotted.key=value"


@pytest.mark.parametrize("override", [".epochs=3", "training.=3", "training..epochs=3"])
def test_an_override_with_an_empty_part_is_refused(file: Path, override: str) -> None:
    with pytest.raises(ConfigError):
        load_experiment(file, [override])


def test_an_override_whose_value_is_not_yaml_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.epochs: '\[1, ' is not YAML"):
        load_experiment(file, ["training.epochs=[1, "])


@pytest.mark.parametrize(
    ("values", "key", "nearest"),
    [
        (experiment(trainin={}), "trainin", "training"),
        (experiment(training={"epoch": 3}), "training.epoch", "epochs"),
        (
            experiment(training={"augmentation": {"mosiac": True}}),
            "training.augmentation.mosiac",
            "mosaic",
        ),
        (
            experiment(evaluation={"latency": {"thread": []}}),
            "evaluation.latency.thread",
            "threads",
        ),
        (experiment(dataset={**DIGITS, "val_image": 3}), "dataset.val_image", "val_images"),
        (experiment(dataset={**COCO, "clases": ["a"]}), "dataset.clases", "classes"),
        (
            experiment(dataset={**COCO, "val": {"annotations": "a.json", "image": "x"}}),
            "dataset.val.image",
            "images",
        ),
    ],
    ids=["top", "section", "augmentation", "two deep", "digits", "coco", "in coco"],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    values: dict[str, Any], key: str, nearest: str
) -> None:
    found = mistake(values)
    assert found == f"experiment: unknown key '{key}'; the nearest known key is '{nearest}'"


def test_the_nearest_key_is_looked_for_in_the_chosen_member_of_the_union_only() -> None:
    # `digit_size` is a key of the other member.
    found = mistake(experiment(dataset={**COCO, "digit_size": [3, 4]}))
    nearest = found.rpartition("nearest known key is '")[2].rstrip("'")
    assert nearest in CocoData.model_fields


def test_an_unknown_kind_of_data_set_is_answered_with_the_known_ones() -> None:
    found = mistake(experiment(dataset={"kind": "tfrecord"}))
    assert "'digits'" in found
    assert "'coco'" in found


def test_several_mistakes_are_reported_together() -> None:
    found = mistake(experiment(training={"epochs": -1, "batch_size": 0}))
    assert "'training.epochs'" in found
    assert "'training.batch_size'" in found


def test_a_key_is_shown_as_it_stands_in_the_file_without_the_member_of_the_union() -> None:
    found = mistake(experiment(dataset={"kind": "coco", "train": {}, "val": {"annotations": 3}}))
    assert "'dataset.train.annotations' is missing" in found
    assert "'dataset.val.annotations': " in found


def test_a_section_where_a_word_is_allowed_too_gets_one_message_per_mistake() -> None:
    found = mistake(experiment(training={"augmentation": {"rotate": 199}}))
    assert found == (
        "experiment: 'training.augmentation.rotate': "
        "Input should be less than or equal to 180 (found 199)"
    )


def test_a_wrong_word_where_a_section_is_allowed_too_is_answered_with_both() -> None:
    found = mistake(experiment(training={"augmentation": "none"}))
    assert "'training.augmentation': Input should be a valid dictionary" in found
    assert "'training.augmentation': Input should be 'config'" in found


def test_a_section_where_only_a_word_is_allowed_is_refused() -> None:
    assert "'training.optimizer': Input should be 'adamw'" in mistake(
        experiment(training={"optimizer": {"type": "SGD"}})
    )


def test_a_missing_name_is_reported() -> None:
    assert "'name' is missing" in mistake({"dataset": DIGITS})


def test_a_value_of_the_wrong_type_is_shown() -> None:
    assert "found 'many'" in mistake(experiment(training={"epochs": "many"}))


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        ([300, 192], [288, 192]),
        ([320, 10], [320, 32]),
        ([0, -5], [32, 32]),
        ([310, 200], [320, 192]),
    ],
)
def test_an_input_size_that_is_no_multiple_of_32_is_refused_with_the_nearest_one(
    size: list[int], nearest: list[int]
) -> None:
    assert f"the nearest is {nearest}" in mistake(experiment(detector={"input_size": size}))


def test_no_epochs_without_a_checkpoint_are_refused() -> None:
    assert "no weights" in mistake(experiment(training={"epochs": 0}))


def test_no_epochs_with_a_checkpoint_are_fine() -> None:
    parse_experiment(experiment(training={"epochs": 0, "checkpoint": "weights.pth"}))


@pytest.mark.parametrize("name", ["", "../x", "a b", ".hidden"])
def test_a_name_that_could_not_be_a_folder_is_refused(name: str) -> None:
    assert "'name'" in mistake(experiment() | {"name": name})


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"there is no experiment file nowhere\.yaml"):
        load_experiment(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a: [1, 2", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "holds nothing"),
        (b"- a\n- b\n", "holds list"),
    ],
)
def test_a_file_that_is_no_yaml_mapping_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=reason):
        load_experiment(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_experiment(tmp_path)


@pytest.mark.parametrize("name", ["", "..", "-x", "a/b", "a\n", "\x1b", "猫", "n" * 101])
def test_a_name_that_is_no_folders_or_too_long_for_mlflow_is_refused(name: str) -> None:
    assert "'name': String should" in mistake(experiment(name=name))


def test_a_name_of_a_hundred_characters_is_taken() -> None:
    assert parse_experiment(experiment(name="n" * 100)).name == "n" * 100


@pytest.mark.parametrize(
    "sections",
    [
        {"store": "ü" * 130},
        {"tracking": "a" * 256},
        {"tracking": "a/" * 3000},
        {"training": {"checkpoint": "猫" * 86}},
        {"dataset": {**COCO, "root": "a" * 300}},
        {"dataset": {**COCO, "allowed_folders": ["a" * 300]}},
    ],
)
def test_a_path_that_no_file_system_takes_is_refused_before_anything_is_made(
    sections: dict[str, Any],
) -> None:
    assert "is too long for a path" in mistake(experiment(**sections))


def test_a_store_may_have_a_long_url_of_short_parts() -> None:
    url = "s3://bucket/" + "part/" * 100
    assert parse_experiment(experiment(store=url)).store == url


def test_of_a_value_that_fills_the_screen_a_part_is_shown() -> None:
    assert len(mistake(experiment(training={"epochs": "x" * 10**6}))) < 1000


def test_a_pipe_or_a_device_is_no_experiment(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path, kind in ((tmp_path / "pipe.yaml", "a named pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(ConfigError, match=f"cannot be read: it is {kind}"):
            load_experiment(path)


def test_aliases_that_multiply_are_refused_in_overrides_too(file: Path) -> None:
    with pytest.raises(ConfigError, match="is not YAML"):
        load_experiment(file, ["training.seed=&a [*a]"])
