"""Boxes as deltas of anchors: RetinaNet, ATSS, YOLOF, SSD and SSDLite.

mmdet 3.3's ``BaseDenseHead.predict_by_feat`` with a ``DeltaXYWHBBoxCoder``.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.dense import Level, dense_candidates
from mmdet2tflite.runtime.decode.maps import corners, of_level
from mmdet2tflite.runtime.decode.types import Detections, Floats

MOST_GROWTH = np.float32(abs(np.log(16 / 1000)))
"""mmdet's limit of the logarithm by which a side differs from its anchor's (``wh_ratio_clip``)."""


def anchor_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """Candidates of RetinaNet, YOLOF and SSD.

    The deltas of an anchor with the centre p and the sides w are d = x ``box_stds`` +
    ``box_means``: centre = p + w (dx, dy), sides = w exp(dw, dh)
    (https://arxiv.org/abs/1311.2524, appendix C). dw and dh are limited to ± ``MOST_GROWTH``. With
    a ``centre_clamp`` c, w (dx, dy) is limited to ± c, and dw and dh from above only.
    """
    return dense_candidates(outputs, head, preprocessing, _boxes)


def atss_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """ATSS's candidates: the same, and a score is multiplied by the centerness of its anchor."""
    return dense_candidates(outputs, head, preprocessing, _boxes, "centerness")


def anchors_of(level: Level, priors: NDArray[np.intp], head: Head) -> Floats:
    """Anchors in pixels of the input (N x 4)."""
    cell, kind = np.divmod(priors, level.priors)
    base = np.array(of_level(head.anchors, head, level.number, "anchors"), np.float32)
    corner = corners(cell, level.columns, level.stride)
    return base[kind] + np.concatenate([corner, corner], axis=1)


def _boxes(
    raw: Floats, level: Level, priors: NDArray[np.intp], head: Head, _: Preprocessing
) -> Floats:
    anchors = anchors_of(level, priors, head)
    centres = (anchors[:, :2] + anchors[:, 2:]) * np.float32(0.5)
    sides = anchors[:, 2:] - anchors[:, :2]
    deltas = raw * np.array(head.box_stds, np.float32) + np.array(head.box_means, np.float32)
    move, growth = sides * deltas[:, :2], deltas[:, 2:]
    if head.centre_clamp is None:
        growth = np.clip(growth, -MOST_GROWTH, MOST_GROWTH)
    else:
        limit = np.float32(head.centre_clamp)
        move, growth = np.clip(move, -limit, limit), np.minimum(growth, MOST_GROWTH)
    centres, half = centres + move, sides * np.exp(growth) * np.float32(0.5)
    return np.concatenate([centres - half, centres + half], axis=1)
