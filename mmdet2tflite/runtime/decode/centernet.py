"""CenterNet: ``CenterNetHead.predict_by_feat`` of mmdet 3.3."""

from collections.abc import Mapping

import cv2
import numpy as np

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.maps import cells
from mmdet2tflite.runtime.decode.types import Detections, Floats


def centernet_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """CenterNet's peaks, in pixels of the input. Its head has taken the sigmoid already.

    1. A peak of a class is a cell whose score is the highest of the ``peak_window`` x
       ``peak_window`` cells around it (https://arxiv.org/abs/1904.07850, section 4).
    2. The ``max_candidates`` highest peaks of all classes above the score threshold count.
    3. Of a peak in the cell (i, j): centre = (j + dx, i + dy) s, sides = (w, h) s, s the size of a
       cell in pixels. Boxes may reach beyond the input.
    """
    (stride,) = head.strides
    rows, columns = -(-preprocessing.height // stride), -(-preprocessing.width // stride)
    scores, sides, offsets = (
        cells(outputs, f"{meaning}_{stride}", channels, rows, columns)
        for meaning, channels in (("heatmap", len(head.classes)), ("size", 2), ("offset", 2))
    )
    heat = scores.T.reshape(-1, rows, columns)
    window = np.ones((head.peak_window, head.peak_window), np.uint8)
    highest = np.stack([cv2.dilate(layer, window) for layer in heat])
    peaks = np.flatnonzero((heat == highest) & (heat > np.float32(head.score_threshold)))
    best = np.argsort(-heat.reshape(-1)[peaks], kind="stable")[: head.max_candidates]
    labels, cell = np.divmod(peaks[best], rows * columns)
    places = np.stack([cell % columns, cell // columns], axis=1).astype(np.float32)
    size_of_cell = np.array(
        [preprocessing.width / columns, preprocessing.height / rows], np.float32
    )
    centres, half = places + offsets[cell], sides[cell] / 2
    boxes = np.concatenate(
        [(centres - half) * size_of_cell, (centres + half) * size_of_cell], axis=1
    )
    return Detections(boxes, heat.reshape(-1)[peaks[best]], labels)
