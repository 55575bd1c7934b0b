"""Detectors that cannot become a TFLite file are refused before they are trained."""

import json
from pathlib import Path

import pytest

from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.detector.train_request import DataPaths
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.passport import Preprocessing

pytestmark = pytest.mark.toolchain

REFUSED = {
    "faster_rcnn/faster-rcnn_r50_fpn_1x_coco": "a FasterRCNN, has no bbox_head",
    "detr/detr_r50_8xb2-150e_coco": "a DETR, is a transformer",
    "dino/dino-4scale_r50_8xb2-12e_coco": "a DINO, is a transformer",
}


@pytest.fixture(scope="module", autouse=True)
def mmdet():
    from mmdet2tflite.detector import compat

    compat.prepare()


def write(folder, base, model=""):
    path = folder / "detector.py"
    path.write_text(f'_base_ = "mmdet::{base}.py"\n{model}', encoding="utf-8")
    return path


@pytest.mark.parametrize(("base", "found"), REFUSED.items(), ids=REFUSED)
def test_two_stages_and_transformers_are_refused_by_their_type(tmp_path, base, found):
    from mmdet2tflite.detector.mmdet_config import read_config

    with pytest.raises(ConfigError, match=found) as error:
        read_config(write(tmp_path, base))
    assert "RetinaHead" in error.value.expected
    assert "detector.config" in error.value.remedy


SMALL = """
model = dict(
    backbone=dict(depth=18, init_cfg=None),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=32),
    bbox_head=dict(in_channels=32, feat_channels=32, stacked_convs=1{}),
)
"""
WITH_OPERATORS = {
    "in the head": ("vfnet/vfnet_r50_fpn_1x_coco", SMALL.format(""), "VFNetHead"),
    "in the neck": ("centernet/centernet_r18-dcnv2_8xb16-crop512-140e_coco", "", "CenterNetHead"),
    "called as a function": ("tood/tood_r50_fpn_1x_coco", SMALL.format(""), "TOODHead"),
}


@pytest.mark.parametrize(("base", "model", "head"), WITH_OPERATORS.values(), ids=WITH_OPERATORS)
def test_deformable_convolutions_are_refused_wherever_they_are(tmp_path, base, model, head):
    from mmdet2tflite.detector.head_description import describe_head
    from mmdet2tflite.detector.mmdet_config import read_config
    from mmdet2tflite.detector.network_check import check_network

    cfg = read_config(write(tmp_path, base, model))
    cfg.model.backbone.init_cfg = None
    with pytest.raises(ConfigError, match=rf"{head}, calls mmcv\.ops\.\w*deform\w*") as error:
        check_network(cfg, describe_head(cfg, tuple("0123456789")), Preprocessing(64, 64))
    assert "dcn" in error.value.remedy


SUPPRESSION = {
    "nms=dict(type='soft_nms', iou_threshold=0.5)": "test_cfg.nms",
    "nms=dict(type='nms', iou_threshold=0.5, class_agnostic=True)": "test_cfg.nms",
    "min_bbox_size=8": "test_cfg.min_bbox_size is 8",
}


@pytest.mark.parametrize(("settings", "found"), SUPPRESSION.items(), ids=SUPPRESSION)
def test_a_post_processing_that_the_decoder_has_not_is_refused(tmp_path, settings, found):
    from mmdet2tflite.detector.head_description import describe_head
    from mmdet2tflite.detector.mmdet_config import read_config

    path = write(
        tmp_path, "retinanet/retinanet_r18_fpn_1x_coco", f"model = dict(test_cfg=dict({settings}))"
    )
    with pytest.raises(ConfigError, match=found):
        describe_head(read_config(path), ("one",))


def test_a_head_with_boxes_coded_otherwise_has_no_decoder(tmp_path):
    from mmdet2tflite.detector.head_description import describe_head
    from mmdet2tflite.detector.mmdet_config import read_config

    coder = "model = dict(bbox_head=dict(bbox_coder=dict(_delete_=True, type='TBLRBBoxCoder')))"
    path = write(tmp_path, "retinanet/retinanet_r18_fpn_1x_coco", coder)
    head = describe_head(read_config(path), ("one",))
    assert (head.family, head.strides) == (None, ())
    path = write(tmp_path, "paa/paa_r50_fpn_1x_coco")
    assert describe_head(read_config(path), ("one",)).family is None


def test_a_detector_of_oriented_boxes_refuses_upright_ones(tmp_path):
    from mmdet2tflite.detector.mmdet_config import read_config
    from mmdet2tflite.detector.network_check import check_boxes

    corners = [[0, 0, 4, 0, 4, 2, 0, 2]]
    boxes = [{"bbox": [0, 0, 4, 2], "segmentation": corners}, {"bbox": [1, 1, 2, 2]}]
    annotations = tmp_path / "train.json"
    annotations.write_text(json.dumps({"annotations": boxes}), encoding="utf-8")
    rotated = read_config(Path("configs/detectors/rotated_rtmdet_tiny.py"))
    with pytest.raises(ConfigError, match="1 of the 2 boxes of the data set are upright") as error:
        check_boxes(rotated, annotations)
    assert "oriented: true" in error.value.expected
    check_boxes(read_config(Path("configs/detectors/rtmdet_tiny.py")), annotations)


@pytest.mark.parametrize(("degrees", "refused"), [(10, False), (11, True)])
def test_upright_boxes_are_not_turned_by_more_than_ten_degrees(tmp_path, degrees, refused):
    from mmdet2tflite.detector.mmdet_config import build_config

    def build(name):
        detector = DetectorConfig(config=Path(f"configs/detectors/{name}.py"), input_size=(64, 64))
        training = Training(epochs=1, augmentation={"rotate": degrees})
        split = (tmp_path / "train.json", tmp_path)
        return build_config(
            detector, training, DataPaths(classes=("a",), train=split, val=split), tmp_path
        )

    assert build("rotated_rtmdet_tiny").default_scope == "mmrotate"
    if not refused:
        assert build("rtmdet_tiny").default_scope == "mmdet"
        return
    with pytest.raises(ConfigError, match="rotate is 11 and the boxes are upright"):
        build("rtmdet_tiny")
