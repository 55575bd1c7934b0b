"""``mmdet2tflite preview`` on real images: a sound pipeline loses no box, the known trap does."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmdet2tflite.cli.preview import PAGE, SHEET, preview
from mmdet2tflite.config.dataset import DigitsData, RotatedDigitsData
from mmdet2tflite.config.experiment import DetectorConfig, Experiment, Training
from mmdet2tflite.data.digits import ROTATED_CLASSES, write_digits
from mmdet2tflite.detector import compat
from mmdet2tflite.detector.phases import Phase
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.runtime.decode.corners import corners_of
from tests.toolchain.golden import SIZE

pytestmark = pytest.mark.toolchain

IMAGES = 4
BCCD = os.environ.get("MMDET2TFLITE_BCCD")
LOSSES = ("left", "vanished", "small")

TRAP = """
_base_ = "mmdet::yolox/yolox_nano_8xb8-300e_coco.py"
model = dict(data_preprocessor=dict(batch_augments=None))
train_pipeline = [
    dict(type="Mosaic", img_scale={size}, pad_val=114.0),
    dict(type="RandomAffine", scaling_ratio_range=(0.9, 1.1), border={border}),
    dict(type="FilterAnnotations", min_gt_bbox_wh=(1, 1), keep_empty=False),
    dict(type="PackDetInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
custom_hooks = [dict(type="YOLOXModeSwitchHook", num_last_epochs=5, skip_type_keys=("Mosaic",))]
"""
"""Mosaic is switched off for the last epochs; the affine stays, with the border that it had."""


@pytest.fixture(scope="module")
def dataset() -> dict:
    return DigitsData(kind="digits", size=SIZE, train_images=16, val_images=24).model_dump()


def experiment(dataset: dict, store, size: tuple[int, int], **training: object) -> Experiment:
    detector: dict[str, object] = {"input_size": size}
    if "config" in training:
        detector["config"] = training.pop("config")
    values = {"name": "shown", "dataset": dataset, "store": store.root, "detector": detector}
    return Experiment.model_validate({**values, "training": {"epochs": 30, **training}})


def trap(folder: Path, size: tuple[int, int]) -> Path:
    file = folder / "trap.py"
    file.write_text(TRAP.format(size=size, border=(-size[0] // 2, -size[1] // 2)))
    return file


@pytest.fixture(scope="module")
def good(dataset, store, digits, tmp_path_factory) -> tuple[Path, dict]:
    """Ours, with mosaic and then without; the affine is mild enough to keep whole digits inside."""
    out = tmp_path_factory.mktemp("good")
    augmentation = {"plain_epochs": 10, "translate": 0.05, "scale": (0.8, 1.1)}
    settings = experiment(dataset, store, SIZE, augmentation=augmentation)
    return out, preview(settings, out, IMAGES, seed=3)


@pytest.fixture(scope="module")
def bad(dataset, store, digits, tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("bad")
    settings = experiment(dataset, store, SIZE, config=trap(out, SIZE), augmentation="config")
    return preview(settings, out, IMAGES, seed=3)


def steps(phase: dict) -> dict[str, dict]:
    return {step["name"]: step for step in phase["steps"]}


def vanished(values: dict) -> list[int]:
    return [sum(step["vanished"] for step in phase["steps"]) for phase in values["phases"]]


def test_no_box_vanishes_in_the_pipeline_that_is_built(good):
    _, values = good
    assert [phase["epochs"] for phase in values["phases"]] == [[1, 19], [20, 30]]
    assert vanished(values) == [0, 0]
    assert values["cautions"] == []


def test_without_mosaic_every_digit_stays_in_the_picture(good):
    plain = good[1]["phases"][1]
    loaded = steps(plain)["LoadAnnotations"]["new"]
    assert loaded >= 2 * IMAGES  # two digits a scene or more
    assert all(step[loss] == 0 for step in plain["steps"] for loss in LOSSES)
    assert sum(len(picture["boxes"]) for picture in plain["pictures"]) == loaded


def test_mosaic_shows_parts_of_four_images(good):
    mosaic = steps(good[1]["phases"][0])["Mosaic"]
    assert mosaic["calls"] == IMAGES
    assert mosaic["given"] == steps(good[1]["phases"][0])["LoadAnnotations"]["new"]
    assert steps(good[1]["phases"][0])["LoadImageFromFile"]["calls"] == 4 * IMAGES


def test_mosaics_border_kept_without_mosaic_makes_every_box_vanish(bad):
    first, last = bad["phases"]
    assert last["title"] == "without Mosaic"
    affine = steps(last)["RandomAffine"]
    assert affine["vanished"] + affine["left"] == affine["given"] >= 2 * IMAGES
    assert affine["vanished"] > affine["given"] / 2
    assert all(picture["boxes"] == [] for picture in last["pictures"])
    # The same border is right while mosaic is on.
    assert vanished(bad)[0] == 0
    assert any(picture["boxes"] for picture in first["pictures"])


def test_the_trap_is_told_from_the_config_and_from_the_pictures(bad):
    told = [caution["found"] for caution in bad["cautions"]]
    assert any("without a Mosaic before it (epochs 25 to 30)" in text for text in told)
    assert any(text.startswith("RandomAffine drops ") for text in told)
    assert len(told) == 2


@pytest.mark.skipif(not BCCD, reason="MMDET2TFLITE_BCCD does not name a folder with BCCD")
@pytest.mark.parametrize("sound", [True, False])
def test_photographs_keep_their_boxes_in_the_one_and_lose_them_in_the_other(sound, store, tmp_path):
    split = {name: {"annotations": f"{name}.json", "images": "images"} for name in ("train", "val")}
    dataset = {"kind": "coco", "root": BCCD, **split}
    size = (640, 480)
    own = {} if sound else {"config": trap(tmp_path, size)}
    augmentation = {} if sound else {"augmentation": "config"}
    values = preview(
        experiment(dataset, store, size, **own, **augmentation), tmp_path, IMAGES, seed=0
    )
    last = values["phases"][-1]
    shown = sum(len(picture["boxes"]) for picture in last["pictures"])
    assert (vanished(values)[-1] == 0) is sound
    assert (shown > 10) is sound


def test_the_page_and_the_sheet_show_the_pictures_of_every_phase(good):
    out, values = good
    page = (out / PAGE).read_text()
    stories = sum(len(phase["story"]) for phase in values["phases"])
    assert page.count('<image href="data:image/jpeg;base64,') == 2 * IMAGES + stories
    sheet = cv2.imread(str(out / SHEET))
    assert sheet.shape[0] > 2 * 250  # two rows of cells as high as 400 pixels of width make them
    assert json.loads((out / "preview.json").read_text())["phases"][0]["steps"]


def test_the_same_seed_shows_the_same_and_fewer_images_are_the_first_of_more(
    good, dataset, store, tmp_path
):
    augmentation = {"plain_epochs": 10, "translate": 0.05, "scale": (0.8, 1.1)}
    settings = experiment(dataset, store, SIZE, augmentation=augmentation)
    again = preview(settings, tmp_path, 2, seed=3)
    for before, after in zip(good[1]["phases"], again["phases"], strict=True):
        for one, other in zip(before["pictures"], after["pictures"], strict=False):
            assert (one["file"], one["boxes"]) == (other["file"], other["boxes"])


@pytest.fixture(scope="module")
def worker():
    from mmdet.utils import register_all_modules

    compat.prepare()
    from mmdet2tflite.detector import preview_worker

    register_all_modules(init_default_scope=True)
    return preview_worker


@pytest.fixture
def mosaic(worker, store, digits, tmp_path) -> dict:
    """mmdet's config of our training data set with mosaic."""
    from mmdet2tflite.data.files import split_paths
    from mmdet2tflite.detector.mmdet_config import build_config
    from mmdet2tflite.detector.train_request import DataPaths

    paths = {name: split_paths(store, digits, name) for name in ("train", "val")}
    data = DataPaths(classes=digits.classes, **paths)
    cfg = build_config(DetectorConfig(input_size=SIZE), Training(), data, tmp_path)
    return cfg.to_dict()["train_dataloader"]["dataset"]


def test_a_watched_data_set_gives_what_it_gives_unwatched(worker, mosaic):
    from mmdet.registry import DATASETS

    from mmdet2tflite.detector.box_fates import SERIAL, watch

    unwatched, watched = DATASETS.build(mosaic), DATASETS.build(mosaic)
    watch(watched)
    for index in range(3):
        worker.seed_all(7, index)
        expected = unwatched[index]
        worker.seed_all(7, index)
        found = watched[index]
        truth, seen = expected["data_samples"].gt_instances, found["data_samples"].gt_instances
        assert np.array_equal(expected["inputs"], found["inputs"])
        assert truth.bboxes.tensor.tolist() == seen.bboxes.tensor.tolist()
        assert truth.labels.tolist() == (seen.labels % SERIAL).tolist()


def test_a_pipeline_that_fails_is_refused_with_image_and_reason(worker, mosaic, tmp_path):
    # Mosaic finds no other images where nothing mixes them.
    inner = mosaic["dataset"]
    misplaced = {**inner, "pipeline": [*inner["pipeline"], mosaic["pipeline"][0]]}
    phase = Phase("throughout", 1, 30, {**mosaic, "dataset": misplaced})
    with pytest.raises(ConfigError, match=r"fails on image .*\.png: AssertionError"):
        worker.show_phase(phase, tmp_path / "shown", 1, 0, (0, 1))


def test_a_pipeline_that_cannot_be_built_is_refused_with_the_reason(worker, mosaic, tmp_path):
    phase = Phase("throughout", 1, 30, {**mosaic, "pipeline": [{"type": "Mozaic"}]})
    with pytest.raises(ConfigError, match=r"cannot build the training data set: KeyError.*Mozaic"):
        worker.show_phase(phase, tmp_path / "shown", 1, 0, (0, 1))


def test_a_pipeline_that_refuses_every_image_is_refused(worker, mosaic, tmp_path):
    greedy = {"type": "FilterAnnotations", "min_gt_bbox_wh": (9999, 9999)}
    phase = Phase("throughout", 1, 30, {**mosaic, "pipeline": [greedy]})
    with pytest.raises(ConfigError, match="always return None"):
        worker.show_phase(phase, tmp_path / "shown", 1, 0, (0, 1))


def test_oriented_boxes_are_shown_as_the_annotations_have_them(worker, tmp_path):
    import mmrotate.utils

    mmrotate.utils.register_all_modules(init_default_scope=False)
    scenes = RotatedDigitsData(kind="rotated_digits", train_images=3, val_images=1)
    coco = write_digits(scenes, tmp_path)["train"]
    dataset = {
        "type": "CocoDataset",
        "ann_file": str(tmp_path / "train.json"),
        "data_prefix": {"img": f"{tmp_path}/"},
        "metainfo": {"classes": ROTATED_CLASSES},
        "pipeline": [
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True, "poly2mask": False},
            {"type": "mmrotate.ConvertMask2BoxType", "box_type": "rbox"},
            {"type": "PackDetInputs"},
        ],
    }
    shown = worker.show_phase(Phase("throughout", 1, 30, dataset), tmp_path / "o", 3, 0, (0, 3))
    names = {image["file_name"]: image["id"] for image in coco["images"]}
    for picture in shown["pictures"]:
        mine = [
            entry
            for entry in coco["annotations"]
            if entry["image_id"] == names[f"images/train/{picture['file']}"]
        ]
        assert len(mine) > 0
        assert picture["labels"] == [entry["category_id"] for entry in mine]
        found = corners_of(np.array(picture["oriented"]))
        expected = np.array([entry["segmentation"] for entry in mine]).reshape(-1, 4, 2)
        # Every corner is one of the four: a rectangle has several sets of sides and angle.
        apart = np.linalg.norm(found[:, :, None] - expected[:, None], axis=-1)
        assert apart.min(axis=2).max() < 0.05
        upright = np.concatenate([expected.min(axis=1), expected.max(axis=1)], axis=1)
        assert np.allclose(picture["boxes"], upright, atol=0.05)
    assert [step["kept"] for step in shown["steps"][1:]] == [len(coco["annotations"])] * 3
    # The first image: as loaded, with upright boxes, and turned.
    assert ["oriented" in seen for seen in shown["story"]] == [False, False, True]
