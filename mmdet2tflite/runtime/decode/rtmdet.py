"""RTMDet: mmdet 3.3's ``BaseDenseHead.predict_by_feat`` with a ``DistancePointBBoxCoder``."""

from collections.abc import Mapping

import numpy as np

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.maps import cells, concatenated, corners, sigmoid
from mmdet2tflite.runtime.decode.types import (
    Detections,
    Floats,
)


def rtmdet_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """RTMDet's candidates above the score threshold, in pixels of the input.

    1. The box maps hold distances in pixels (the head has multiplied by the stride already): for a
       cell (i, j) of stride s, left, top, right and bottom of its corner (j, i) s.
    2. Score = sigmoid(cls). Every class of a cell above the threshold is a candidate of its own.
    3. Of each map, the ``max_candidates`` best count.
    4. Boxes end at the border of the input, and those without area there are dropped.
    """
    found = concatenated(
        _rtmdet_level(outputs, stride, head, preprocessing) for stride in head.strides
    )
    border = np.array([preprocessing.width, preprocessing.height] * 2, np.float32)
    boxes = np.clip(found.boxes, 0, border)  # rule 4
    with_area = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    return Detections(boxes, found.scores, found.labels)[with_area]


def _rtmdet_level(
    outputs: Mapping[str, Floats],
    stride: int,
    head: Head,
    preprocessing: Preprocessing,
) -> Detections:
    rows, columns = preprocessing.height // stride, preprocessing.width // stride
    classes, distances = (
        cells(outputs, f"{meaning}_{stride}", channels, rows, columns)
        for meaning, channels in (("cls", None), ("box", 4))
    )
    probabilities = sigmoid(classes)
    # Strictly above, unlike YOLOX.
    passing, labels = np.nonzero(probabilities > np.float32(head.score_threshold))
    corner, distance = corners(passing, columns, stride), distances[passing]
    boxes = np.concatenate([corner - distance[:, :2], corner + distance[:, 2:]], axis=1)
    found = Detections(boxes, probabilities[passing, labels], labels)
    if head.max_candidates is None or head.max_candidates < 0:
        return found
    return found.best(head.max_candidates)
