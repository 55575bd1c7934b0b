"""The table of detector families: what a network of each gives, and how boxes come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.anchors import anchor_candidates, atss_candidates
from mmdet2tflite.runtime.decode.centernet import centernet_candidates
from mmdet2tflite.runtime.decode.points import (
    fcos_candidates,
    foveabox_candidates,
    gfl_candidates,
    rtmdet_candidates,
)
from mmdet2tflite.runtime.decode.rotated_rtmdet import rotated_rtmdet_candidates
from mmdet2tflite.runtime.decode.types import (
    Detections,
    Floats,
)
from mmdet2tflite.runtime.decode.yolov3 import yolov3_candidates
from mmdet2tflite.runtime.decode.yolox import yolox_candidates

DENSE = ("score_function", "clip", "keep_empty")
POINTS = (*DENSE, "point_offset")
ANCHORS = (*DENSE, "anchors", "box_means", "box_stds")


@dataclass(frozen=True)
class Family:
    """One kind of head.

    Args:
        maps: meanings of the lists that mmdet's head returns, in its order; one map per stride.
        candidates: raw outputs (``cls_8`` …, NCHW) → boxes before non-maximum suppression, in
            pixels of the input.
        head: mmdet's name of it, the ``type`` in a config.
        reads: the fields of ``Head`` that the decoder reads besides those that are always written.
        oriented: its boxes are oriented.
    """

    maps: tuple[str, ...]
    candidates: Callable[[Mapping[str, Floats], Head, Preprocessing], Detections]
    head: str
    reads: tuple[str, ...] = ()
    oriented: bool = False


FAMILIES: dict[str, Family] = {
    "atss": Family(("cls", "box", "centerness"), atss_candidates, "ATSSHead", ANCHORS),
    "centernet": Family(
        ("heatmap", "size", "offset"), centernet_candidates, "CenterNetHead", ("peak_window",)
    ),
    "fcos": Family(("cls", "box", "centerness"), fcos_candidates, "FCOSHead", POINTS),
    "foveabox": Family(("cls", "box"), foveabox_candidates, "FoveaHead", (*POINTS, "base_sizes")),
    "gfl": Family(("cls", "box"), gfl_candidates, "GFLHead", POINTS),
    "retinanet": Family(("cls", "box"), anchor_candidates, "RetinaHead", ANCHORS),
    "rotated_rtmdet": Family(
        ("cls", "box", "angle"),
        rotated_rtmdet_candidates,
        "RotatedRTMDetSepBNHead",
        ("keep_empty", "score_function", "point_offset", "angle_version"),
        oriented=True,
    ),
    "rtmdet": Family(("cls", "box"), rtmdet_candidates, "RTMDetSepBNHead", POINTS),
    "ssd": Family(("cls", "box"), anchor_candidates, "SSDHead", ANCHORS),
    "yolof": Family(("cls", "box"), anchor_candidates, "YOLOFHead", (*ANCHORS, "centre_clamp")),
    "yolov3": Family(
        ("map",), yolov3_candidates, "YOLOV3Head", ("anchors", "objectness_threshold")
    ),
    "yolox": Family(("cls", "box", "obj"), yolox_candidates, "YOLOXHead"),
}
"""By ``Head.family``."""
