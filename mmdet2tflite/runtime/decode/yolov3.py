"""YOLOv3: ``YOLOV3Head.predict_by_feat`` of mmdet 3.3, with a ``YOLOBBoxCoder``."""

from collections.abc import Mapping

import numpy as np

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.dense import strongest
from mmdet2tflite.runtime.decode.maps import cells, corners, map_size, of_level, sigmoid
from mmdet2tflite.runtime.decode.types import Detections, Floats


def yolov3_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """YOLOv3's candidates above the score threshold, in pixels of the input.

    A map holds x, y, w, h, objectness and the classes of each anchor of a cell.

    1. For an anchor with the centre p and the sides a, of a map with the stride s: centre =
       p + (sigmoid(x, y) - 1/2) s, sides = a exp(w, h)
       (https://arxiv.org/abs/1804.02767, section 2.1). Boxes may reach beyond the input.
    2. An anchor counts from an objectness of ``objectness_threshold``, and each of its classes
       whose sigmoid is strictly above the score threshold.
    3. Of *all maps together*, the ``max_candidates`` whose class is the surest count.
    4. Then a score is multiplied by the objectness: it may end below the threshold.
    """
    levels = [_level(outputs, head, number) for number in range(len(head.strides))]
    boxes, objectness, classes = (np.concatenate(parts) for parts in zip(*levels, strict=True))
    scores, labels, rows = strongest(classes, head)
    return Detections(boxes[rows], scores * objectness[rows], labels)


def _level(outputs: Mapping[str, Floats], head: Head, number: int) -> tuple[Floats, Floats, Floats]:
    """Boxes, objectness and probabilities of the classes of the anchors that count (rule 2)."""
    stride = head.strides[number]
    name = f"map_{stride}"
    anchors = np.array(of_level(head.anchors, head, number, "anchors"), np.float32)
    attributes = 5 + len(head.classes)
    rows, columns = map_size(outputs, name)
    values: Floats = cells(outputs, name, len(anchors) * attributes, rows, columns)
    values = values.reshape(-1, attributes)
    objectness = sigmoid(values[:, 4])
    passing = np.flatnonzero(objectness >= np.float32(head.objectness_threshold))
    values, objectness = values[passing], objectness[passing]
    cell, kind = np.divmod(passing, len(anchors))
    corner = corners(cell, columns, stride)
    placed = anchors[kind] + np.concatenate([corner, corner], axis=1)
    moves = (sigmoid(values[:, :2]) - np.float32(0.5)) * np.float32(stride)
    centres = (placed[:, :2] + placed[:, 2:]) * np.float32(0.5) + moves
    with np.errstate(over="ignore"):  # decode() drops an infinite box
        half = (placed[:, 2:] - placed[:, :2]) * np.float32(0.5) * np.exp(values[:, 2:4])
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    return boxes, objectness, sigmoid(values[:, 5:])
