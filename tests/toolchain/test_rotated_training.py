"""A detector of oriented boxes is trained: its boxes turn with the pictures, and are judged so."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmdet2tflite.config.experiment import Augmentation, DetectorConfig, Training
from mmdet2tflite.detector.train import TRAIN, TrainConfig, read_curves
from mmdet2tflite.runtime.decode.corners import corners_of
from tests.toolchain.golden import TIMEOUT
from tests.toolchain.tiny_heads import SIZE, write_config

pytestmark = pytest.mark.toolchain

BARS = np.array([[40, 30, 40, 10, 0.3], [90, 60, 30, 10, -0.7]])
"""Four and three times as long as wide."""


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    """Validation on one image with two bars."""
    from mmdet2tflite.detector import compat

    compat.prepare()
    from mmdet2tflite.detector.scope import enter_scope

    enter_scope({"default_scope": "mmrotate"})
    from mmdet2tflite.detector.rotated.coco_metric import OrientedCocoMetric

    corners = corners_of(BARS)
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": 0,
            "iscrowd": 0,
            "segmentation": [outline.ravel().tolist()],
            "bbox": [*outline.min(axis=0), *(outline.max(axis=0) - outline.min(axis=0))],
            "area": float(box[2] * box[3]),
        }
        for number, (box, outline) in enumerate(zip(BARS, corners, strict=True), start=1)
    ]
    images = [{"id": 1, "file_name": "1.png", "width": 128, "height": 96}]
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 0, "name": "bar"}],
    }
    file = tmp_path_factory.mktemp("metric") / "val.json"
    file.write_text(json.dumps(content), encoding="utf-8")

    def measure(boxes: np.ndarray) -> dict[str, float]:
        import torch

        judge = OrientedCocoMetric(ann_file=str(file))
        judge.dataset_meta = {"classes": ("bar",)}
        found = {
            "bboxes": torch.from_numpy(boxes.astype(np.float32)),
            "scores": torch.ones(len(boxes)),
            "labels": torch.zeros(len(boxes), dtype=torch.int64),
        }
        judge.process({}, [{"img_id": 1, "ori_shape": (96, 128), "pred_instances": found}])
        return judge.evaluate(size=1)

    return measure


def test_boxes_on_the_bars_are_right_at_every_iou(metric):
    assert metric(BARS)["coco/bbox_mAP"] == 1.0


def test_bars_across_are_wrong_though_the_upright_boxes_around_them_overlap(metric):
    across = BARS.copy()
    across[:, 4] += np.pi / 2  # IoU of 100 : 700 and 100 : 500
    found = metric(across)
    assert (found["coco/bbox_mAP"], found["coco/bbox_mAP_50"]) == (0.0, 0.0)


def test_half_a_bar_counts_at_half_the_overlap_alone(metric):
    shorter = BARS.copy()
    shorter[:, 2] *= 0.52  # IoU 0.52: one of the ten thresholds is not above it
    found = metric(shorter)
    assert found["coco/bbox_mAP_50"] == 1.0
    assert found["coco/bbox_mAP"] == pytest.approx(0.1)


@pytest.mark.long
def test_a_training_turns_pictures_by_any_angle_and_ends_with_weights_and_a_map(
    store, rotated_digits, tmp_path: Path
):
    config = TrainConfig(
        detector=DetectorConfig(config=write_config(tmp_path, "rotated_rtmdet"), input_size=SIZE),
        training=Training(
            epochs=2,
            batch_size=8,
            val_interval=1,
            augmentation=Augmentation(mosaic=True, plain_epochs=1, rotate=180, flip=0.5),
        ),
    )
    checkpoint = TRAIN.build(store, config, timeout=TIMEOUT, dataset=rotated_digits)

    assert (checkpoint.head.family, checkpoint.head.angle_version) == ("rotated_rtmdet", "le90")
    curves = read_curves(store, checkpoint)
    assert [line["epoch"] for line in curves if "map" in line] == [1, 2]
    assert all(np.isfinite(line["loss"]) for line in curves if "loss" in line)
