"""Rotated RTMDet: ``RotatedRTMDetHead.predict_by_feat`` of mmrotate 1.0, before its NMS."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.corners import upright
from mmdet2tflite.runtime.decode.dense import Level, scored_boxes
from mmdet2tflite.runtime.decode.maps import cells, corners
from mmdet2tflite.runtime.decode.types import Detections, Floats

FIRST_ANGLES = {"le90": -np.pi / 2, "le135": -np.pi / 4, "r360": -np.pi}
"""``Head.angle_version`` → its smallest angle, where it has one."""
PERIODS = {"r360": 2 * np.pi}
"""Of the others it is π: a rectangle that is turned by it is the same one."""


def rotated_rtmdet_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """Oriented candidates above the score threshold, in pixels of the input.

    1. Scores and candidates are RTMDet's.
    2. The distances l, t, r, b of a cell's point p to the four sides are those in the frame of the
       box, which is turned by the angle a: centre = p + R(a) ((r - l) / 2, (b - t) / 2),
       sides = (l + r, t + b) (``distance2obb`` of mmrotate).
    3. Boxes with a side that is not positive are dropped unless ``keep_empty`` is set.
    4. The angle is brought into the range of ``angle_version``.
    """
    found = scored_boxes(
        _with_angles(outputs, head, preprocessing), head, preprocessing, _boxes, box_channels=5
    )
    oriented = found.boxes
    found = Detections(upright(oriented), found.scores, found.labels, oriented=oriented)
    if head.keep_empty:
        return found
    return found[np.flatnonzero((oriented[:, 2:4] > 0).all(axis=1))]


def _with_angles(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> dict[str, Floats]:
    """The box maps with the angle as their fifth channel."""
    joined = dict(outputs)
    for stride in head.strides:
        rows, columns = (-(-side // stride) for side in (preprocessing.height, preprocessing.width))
        parts = [
            cells(outputs, f"{meaning}_{stride}", channels, rows, columns)
            for meaning, channels in (("box", 4), ("angle", 1))
        ]
        joined[f"box_{stride}"] = np.hstack(parts).T.reshape(1, 5, rows, columns)
    return joined


def _boxes(
    raw: Floats, level: Level, points: NDArray[np.intp], head: Head, _: Preprocessing
) -> Floats:
    """N x 5: rule 2 and 4."""
    distances, angles = raw[:, :4], raw[:, 4]
    cosine, sine = np.cos(angles), np.sin(angles)
    x, y = ((distances[:, 2:] - distances[:, :2]) * np.float32(0.5)).T
    moves = np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)
    offset = np.float32(head.point_offset * level.stride)
    centres = corners(points, level.columns, level.stride) + offset + moves
    sides = distances[:, :2] + distances[:, 2:]
    return np.column_stack([centres, sides, _in_range(angles, head.angle_version)])


def _in_range(angles: Floats, version: str | None) -> Floats:
    if version not in FIRST_ANGLES:
        return angles
    first, period = (np.float32(n) for n in (FIRST_ANGLES[version], PERIODS.get(version, np.pi)))
    turned: Floats = (angles - first) % period + first
    return turned
