"""The blood cells in Pascal VOC's format are those of the COCO version, but for two clicks."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.dataset import VocData
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.errors import DataError

BCCD = os.environ.get("MMDET2TFLITE_BCCD")
CLASSES = ("RBC", "WBC", "Platelets")

pytestmark = pytest.mark.skipif(
    not BCCD, reason="MMDET2TFLITE_BCCD does not name a folder with the BCCD data set"
)


def coco(name: str) -> dict[str, Any]:
    return json.loads((Path(BCCD) / f"{name}.json").read_text())


def boxes(values: dict[str, Any]) -> dict[str, list[tuple[str, list[float]]]]:
    """Image → class and box of each of its objects."""
    files = {image["id"]: image["file_name"] for image in values["images"]}
    names = {category["id"]: category["name"] for category in values["categories"]}
    result: dict[str, list[tuple[str, list[float]]]] = {file: [] for file in files.values()}
    for box in values["annotations"]:
        result[files[box["image_id"]]].append((names[box["category_id"]], box["bbox"]))
    return result


@pytest.fixture
def build(tmp_path, store) -> Callable[..., Dataset]:
    """All 364 images: those of the COCO train and test splits are trained on."""
    for split, sources in {"train": ("train", "test"), "val": ("val",)}.items():
        images = [image for source in sources for image in coco(source)["images"]]
        text = "\n".join(Path(image["file_name"]).stem for image in images)
        (tmp_path / f"{split}.txt").write_text(text)

    def run(**options: Any) -> Dataset:
        values = {
            "kind": "voc",
            "root": BCCD,
            "classes": CLASSES,
            **{
                split: {
                    "image_set": tmp_path / f"{split}.txt",
                    "annotations": "voc",
                    "images": "images",
                }
                for split in ("train", "val")
            },
        }
        return DATASET.build(store, VocData.model_validate(values | options), timeout=60)

    return run


@pytest.mark.parametrize("first_pixel", [0, 1])
def test_the_two_boxes_without_area_are_found_by_file_and_object(first_pixel, build) -> None:
    with pytest.raises(DataError) as caught:
        build(first_pixel=first_pixel)
    assert caught.value.found.startswith("2 zero_area\n")
    assert "BloodImage_00338.xml, object 13: box [50" in caught.value.found
    assert "BloodImage_00343.xml, object 4: box [18" in caught.value.found
    assert caught.value.remedy.startswith("--set dataset.fix=[zero_area]\n")


def test_mended_the_boxes_are_those_of_the_coco_version(build, contents) -> None:
    dataset = build(first_pixel=0, fix=["zero_area"])
    assert dataset.classes == CLASSES
    assert dataset.metrics["problems.zero_area"] == 2
    assert (dataset.train.images, dataset.val.images) == (205 + 72, 87)
    assert dataset.train.boxes + dataset.val.boxes == 4886
    assert boxes(contents(dataset, "train.json")) == boxes(coco("train")) | boxes(coco("test"))
    assert boxes(contents(dataset, "val.json")) == boxes(coco("val"))


def test_counted_from_one_every_box_begins_a_pixel_earlier_and_ends_at_the_same(
    build, contents
) -> None:
    val = contents(build(fix=["zero_area"]), "val.json")
    expected = {
        file: [(name, [x - 1, y - 1, width + 1, height + 1]) for name, (x, y, width, height) in of]
        for file, of in boxes(coco("val")).items()
    }
    assert boxes(val) == expected
