"""A folder whose form says what its annotations are; and its one split, read and checked."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from mmdet2tflite.config.dataset import DatasetConfig
from mmdet2tflite.data.validation_folder import recognise, take_folder
from mmdet2tflite.errors import DataError
from mmdet2tflite.stage import Job
from mmdet2tflite.store.store import Store

from .conftest import sound_source


def folder_with(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def split(root: Path, **paths: str) -> dict[str, object]:
    return {"root": str(root), "train": paths, "val": paths}


@pytest.mark.parametrize(
    ("files", "kind", "paths"),
    [
        (["a.json", "a.png"], "coco", {"annotations": "a.json", "images": "."}),
        (["a.xml", "a.png"], "voc", {"annotations": ".", "images": "."}),
        (
            ["Annotations/a.xml", "JPEGImages/a.jpg"],
            "voc",
            {"annotations": "Annotations", "images": "JPEGImages"},
        ),
        (
            ["Annotations/a.xml", "JPEGImages/a.jpg", "ImageSets/Main/val.txt"],
            "voc",
            {
                "annotations": "Annotations",
                "images": "JPEGImages",
                "image_set": "ImageSets/Main/val.txt",
            },
        ),
        (
            ["labelTxt/a.txt", "images/a.png"],
            "dota",
            {"annotations": "labelTxt", "images": "images"},
        ),
    ],
)
def test_the_form_of_a_folder_says_its_format(
    tmp_path: Path, files: Sequence[str], kind: str, paths: dict[str, str]
) -> None:
    folder = folder_with(tmp_path, *files)
    settings = recognise(folder)
    assert settings == {"kind": kind, **split(folder, **paths)}
    TypeAdapter(DatasetConfig).validate_python(settings)


@pytest.mark.parametrize(
    ("name", "images"), [("a.png", "images"), ("images/a.png", "."), ("none.png", ".")]
)
def test_the_first_name_of_a_coco_json_says_where_its_images_are(
    tmp_path: Path, name: str, images: str
) -> None:
    folder = folder_with(tmp_path, "images/a.png")
    coco = {"images": [{"id": 1, "file_name": name}], "annotations": [], "categories": []}
    (folder / "a.json").write_text(json.dumps(coco))
    assert recognise(folder)["val"] == {"annotations": "a.json", "images": images}


def test_yolo_is_known_by_its_yaml(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "data.yaml", "images/val/a.png", "labels/val/a.txt")
    assert recognise(folder) == {"kind": "yolo", "data": str(folder / "data.yaml")}


@pytest.mark.parametrize(
    ("files", "form"),
    [
        (["a.png"], "has the form of no data set that is known"),
        (["train.json", "val.json"], "has the form of coco, but for 2 json files"),
        (["a.json", "data.yaml"], "has the form of yolo and of coco"),
    ],
)
def test_a_form_that_says_nothing_or_too_much_is_refused_with_the_yaml_that_does(
    tmp_path: Path, files: Sequence[str], form: str
) -> None:
    with pytest.raises(DataError) as refused:
        recognise(folder_with(tmp_path, *files))
    assert form in refused.value.found
    assert f"root: {tmp_path}" in refused.value.remedy
    assert "val: {annotations: val.json, images: images}" in refused.value.remedy


@pytest.fixture
def take(tmp_path: Path):
    """Read the validation split of the small sound COCO data set, and no other file of it."""
    source = sound_source(tmp_path / "source")
    (source.root / "train.json").unlink()
    work = tmp_path / "work"
    work.mkdir()

    def call():
        source.root.joinpath("val.json").write_text(json.dumps(source.val))
        settings = recognise(source.root)
        config = TypeAdapter(DatasetConfig).validate_python(settings)
        return take_folder(Job(Store(tmp_path / "store"), work, 60), config)

    call.source = source
    return call


def test_the_split_is_read_alone(take) -> None:
    annotations, images, problems = take()
    found = json.loads(annotations.read_text())
    assert [image["file_name"] for image in found["images"]] == ["c.png"]
    assert found["categories"] == [{"id": 0, "name": "dog"}, {"id": 1, "name": "cat"}]
    assert [(box["category_id"], box["area"]) for box in found["annotations"]] == [(1, 200)]
    assert images == (take.source.root / "images").resolve()
    assert problems == []


def test_it_is_checked_as_every_split_is(take) -> None:
    take.source.val["annotations"][0]["bbox"] = [1, 2, 0, 20]
    with pytest.raises(DataError, match=r"1 zero_area, 1 empty"):
        take()


def test_a_class_that_is_there_twice_is_told_once(take) -> None:
    take.source.val["categories"][0]["name"] = "dog"
    with pytest.raises(DataError, match=r"^Data set: 1 duplicate_class\n"):
        take()
