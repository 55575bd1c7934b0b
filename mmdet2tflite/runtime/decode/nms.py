"""Non-maximum suppression: mmcv's ``batched_nms``."""

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.runtime.decode.types import Floats, Integers


def class_aware_nms(
    boxes: Floats, scores: Floats, labels: Integers, iou_threshold: float, limit: int
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression within each class.

    Each class is moved aside by an offset, in float32, so that boxes of different classes never
    overlap: mmcv's ``batched_nms``. The offsets cost some precision, which is part of its result.

    Args:
        boxes: N x 4, finite.
        iou_threshold: a box goes if its IoU with a better one *exceeds* this.
        limit: how many boxes to keep; greedy suppression finds the best first and stops here.

    Returns:
        Indices of the boxes kept, best first, equal scores in their order.
    """
    if not len(boxes):
        return np.empty(0, np.intp)
    moved = boxes + (labels.astype(np.float32) * (boxes.max() + np.float32(1)))[:, None]
    x1, y1, x2, y2 = moved.T
    areas = (x2 - x1) * (y2 - y1)
    # torchvision compares in double precision; a Python float would be rounded to float32.
    threshold = np.float64(iou_threshold)
    rest = np.argsort(-scores, kind="stable")
    kept: list[np.intp] = []
    while len(rest) and len(kept) < limit:
        best, rest = rest[0], rest[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
        height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore"):  # 0 / 0 of two boxes without area is no overlap
            iou = shared / (areas[best] + areas[rest] - shared)
        rest = rest[~(iou > threshold)]
    return np.array(kept, np.intp)
