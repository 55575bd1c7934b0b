"""Missing and malformed files of a YOLO data set are named; a change makes another key."""

import os

import pytest

from mmdet2tflite.config.dataset import YoloData
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import DataError
from tests.data.conftest import facts

from .conftest import SOUND


def test_a_missing_image_of_a_list_is_reported_and_left_out(source, build, refuse) -> None:
    (source.root / "train.txt").write_text("images/train/a.png\nimages/train/z.png\n")
    source.labels["train/z"] = SOUND
    source.data["train"] = "train.txt"
    assert facts(refuse()) == [("missing_file", "train", "z.png", 2)]
    assert build(fix=["missing_file"]).train.images == 1


@pytest.mark.parametrize("value", ["images/trian", "../images/trian", "train.txt"])
def test_a_split_that_does_not_exist_is_reported_with_its_path(value, source, refuse) -> None:
    source.data["train"] = value
    (problem,) = refuse(allowed_folders=[source.root.parent])
    assert facts([problem]) == [("missing_annotations", "train", "data.yaml", None)]
    assert f"{os.path.normpath(source.root / value)} cannot be read" in problem.message


def test_a_folder_without_images_is_reported(source, refuse) -> None:
    source.data["val"] = "labels"
    (problem,) = refuse()
    assert facts([problem]) == [("empty", "val", "data.yaml", None)]
    assert problem.message == f"val: {source.root / 'labels'} has no images"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"names": None}, "names"),
        ({"names": [True, "dog"]}, "names.0: Input should be a valid string"),
        ({"names": {"a": "cat"}}, "names"),
        ({"train": None}, "train.0: Input is not a valid path"),
        ({"nc": 3}, "nc is 3, but there are 2 names"),
        ({"kpt_shape": [17, 3]}, "kpt_shape"),
    ],
)
def test_a_yaml_of_the_wrong_form_is_reported_with_its_key(
    changes, expected, source, refuse
) -> None:
    source.data |= changes
    problems = refuse()
    assert {(problem.kind, problem.file) for problem in problems} == {("not_yolo", "data.yaml")}
    assert all(problem.message.startswith(expected) for problem in problems)


def test_a_list_is_no_data_yaml(source, refuse) -> None:
    source.data = [1]
    assert {problem.kind for problem in refuse()} == {"not_yolo"}


def test_a_missing_or_malformed_yaml_is_reported(source, store) -> None:
    (source.root / "data.yaml").write_text("names: [cat\n")
    with pytest.raises(DataError, match=r"corrupt_yaml: train: data\.yaml: .*line 2"):
        DATASET.build(store, source.config(), timeout=60)
    (source.root / "data.yaml").unlink()
    with pytest.raises(DataError, match=r"missing_annotations: train: data\.yaml: "):
        DATASET.build(store, source.config(), timeout=60)


@pytest.mark.parametrize("file", ["labels/train/a.txt", "images/train/a.png", "data.yaml"])
def test_the_key_follows_the_time_stamp_of_every_file(file, source) -> None:
    key = DATASET.key(source.config())
    os.utime(source.root / file, ns=(1, 1))
    assert DATASET.key(source.config()) != key


def test_a_label_file_that_appears_makes_another_key(source) -> None:
    label = source.root / "labels/train/a.txt"
    label.rename(label.with_suffix(".gone"))
    key = DATASET.key(source.config())
    label.with_suffix(".gone").rename(label)
    assert DATASET.key(source.config()) != key


def test_a_key_can_be_made_of_a_missing_yaml(tmp_path) -> None:
    assert DATASET.key(YoloData(kind="yolo", data=tmp_path / "missing.yaml"))
