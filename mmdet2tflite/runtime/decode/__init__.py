"""Picture → input tensor, and raw head outputs → boxes: the one decoder of every backend.

It is also what a user ships, so it needs numpy and OpenCV only. Both directions reproduce mmdet
3.3: ``letterbox`` its ``FixShapeResize(keep_ratio=True)`` bit for bit, ``decode`` its heads'
``predict_by_feat`` followed by mmcv's ``batched_nms``. Each family of detectors has a function and
a line in ``families.FAMILIES``.
"""

from mmdet2tflite.runtime.decode.boxes import decode
from mmdet2tflite.runtime.decode.families import FAMILIES
from mmdet2tflite.runtime.decode.nms import class_aware_nms
from mmdet2tflite.runtime.decode.preprocess import letterbox
from mmdet2tflite.runtime.decode.types import (
    Detections,
    Floats,
    Integers,
)

__all__ = [
    "FAMILIES",
    "Detections",
    "Floats",
    "Integers",
    "class_aware_nms",
    "decode",
    "letterbox",
]
