"""YOLOX: ``YOLOXHead.predict_by_feat`` of mmdet 3.3."""

from collections.abc import Mapping

import numpy as np

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.maps import cells, concatenated, corners, sigmoid
from mmdet2tflite.runtime.decode.types import (
    Detections,
    Floats,
)


def yolox_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """YOLOX's candidates above the score threshold, in pixels of the input.

    For a cell (i, j) of stride s, without the half-cell offset that other heads have:
    centre = (j, i) s + (dx, dy) s, size = exp(dw, dh) s, score = sigmoid(cls) sigmoid(obj), and
    only the best class of a cell counts (``YOLOXHead.predict_by_feat``).
    """
    return concatenated(
        _yolox_level(outputs, stride, head.score_threshold, preprocessing)
        for stride in head.strides
    )


def _yolox_level(
    outputs: Mapping[str, Floats],
    stride: int,
    threshold: float,
    preprocessing: Preprocessing,
) -> Detections:
    rows, columns = preprocessing.height // stride, preprocessing.width // stride
    classes, deltas, objectness = (
        cells(outputs, f"{meaning}_{stride}", channels, rows, columns)
        for meaning, channels in (("cls", None), ("box", 4), ("obj", 1))
    )
    objectness = sigmoid(objectness[:, 0])
    # No score exceeds its objectness, so most cells are dropped before their classes are looked at.
    passing = np.flatnonzero(objectness >= np.float32(threshold))
    probabilities = sigmoid(classes[passing])
    labels = probabilities.argmax(axis=1)
    scores = probabilities[np.arange(len(passing)), labels] * objectness[passing]
    above = scores >= np.float32(threshold)
    passing, labels, scores = passing[above], labels[above], scores[above]
    s = np.float32(stride)
    centre = deltas[passing, :2] * s + corners(passing, columns, stride)
    with np.errstate(over="ignore"):
        half = np.exp(deltas[passing, 2:]) * s / 2
    return Detections(np.concatenate([centre - half, centre + half], axis=1), scores, labels)
