"""A training image is decoded once, and everybody gets it as it was."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet2tflite.detector import compat

pytestmark = pytest.mark.toolchain

SIDE, IMAGES = 8, 2
BYTES = SIDE * SIDE * 3


@pytest.fixture(autouse=True, scope="module")
def _mmdet() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


@pytest.fixture
def build(tmp_path: Path):
    """``build(type, …)``: a data set of two images of one colour, a box in each."""
    images = [
        {"id": i, "file_name": f"{i}.png", "width": SIDE, "height": SIDE} for i in range(IMAGES)
    ]
    boxes = [
        {"id": i, "image_id": i, "category_id": 1, "bbox": [i, 1, 3, 4], "area": 12, "iscrowd": 0}
        for i in range(IMAGES)
    ]
    for image in images:
        pixels = np.full((SIDE, SIDE, 3), 10 * image["id"] + 5, np.uint8)
        cv2.imwrite(str(tmp_path / image["file_name"]), pixels)
    truth = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}
    (tmp_path / "train.json").write_text(json.dumps(truth))

    def make(kind: str, **settings: object):
        from mmdet.registry import DATASETS
        from mmdet.utils import register_all_modules

        from mmdet2tflite.detector import cached_dataset  # noqa: F401  (registers itself)

        register_all_modules(init_default_scope=True)
        steps = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations", "with_bbox": True}]
        return DATASETS.build(
            {
                "type": kind,
                "ann_file": str(tmp_path / "train.json"),
                "data_prefix": {"img": str(tmp_path)},
                "metainfo": {"classes": ("a",)},
                "pipeline": steps,
                **settings,
            }
        )

    return make


def picture(dataset, index: int) -> tuple[list, list]:
    found = dataset[index]
    return found["img"].tolist(), found["gt_bboxes"].tensor.tolist()


def delete_images(folder: Path) -> None:
    for image in folder.glob("*.png"):
        image.unlink()


def test_it_gives_what_mmdets_data_set_gives_the_first_time_and_later(build):
    plain, cached = build("CocoDataset"), build("CachedCocoDataset", cache_bytes=10**6)
    for _ in range(2):
        for index in range(IMAGES):
            assert picture(cached, index) == picture(plain, index)


def test_an_image_is_read_once(build, tmp_path):
    cached = build("CachedCocoDataset", cache_bytes=10**6)
    before = [picture(cached, index) for index in range(IMAGES)]
    delete_images(tmp_path)
    assert [picture(cached, index) for index in range(IMAGES)] == before


def test_what_somebody_draws_on_an_image_nobody_else_sees(build):
    cached = build("CachedCocoDataset", cache_bytes=10**6)
    before = picture(cached, 0)
    found = cached[0]
    found["img"][:] = 0
    found["gt_bboxes"].translate_((5, 5))
    assert picture(cached, 0) == before


@pytest.mark.parametrize(("room", "kept"), [(0, []), (BYTES - 1, []), (2 * BYTES - 1, [0])])
def test_as_many_are_kept_as_there_is_room_for(build, tmp_path, room, kept):
    cached = build("CachedCocoDataset", cache_bytes=room)
    for index in range(IMAGES):
        cached[index]
    delete_images(tmp_path)
    for index in range(IMAGES):
        if index in kept:
            assert picture(cached, index)
        else:
            with pytest.raises(FileNotFoundError):
                cached[index]
