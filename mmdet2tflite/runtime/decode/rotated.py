"""Oriented boxes in numpy: intersection over union, non-maximum suppression. See ``corners``."""

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.runtime.decode.corners import Boxes, Points, areas_of, corners_of
from mmdet2tflite.runtime.decode.types import Floats, Integers


def rotated_iou(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Intersection over union of oriented boxes, in float64.

    Boxes without area overlap nothing.

    Args:
        boxes: N x 5, finite.
        others: M x 5, finite.

    Returns:
        N x M, from 0 to 1.
    """
    shared = rotated_intersection(boxes, others)
    union = np.add.outer(areas_of(boxes), areas_of(others)) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def rotated_intersection(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Area that oriented boxes share, in float64.

    Args:
        boxes: N x 5, finite.
        others: M x 5, finite.

    Returns:
        N x M, from 0 to the area of the smaller box.
    """
    first, second = boxes.astype(np.float64), others.astype(np.float64)
    radii = (np.hypot(each[:, 2], each[:, 3]) / 2 for each in (first, second))
    apart = np.linalg.norm(first[:, None, :2] - second[None, :, :2], axis=2)
    near = apart < np.add.outer(*radii)  # of others, the circles around them do not meet
    smaller = np.minimum.outer(areas_of(first), areas_of(second))
    near &= smaller > 0
    rows, columns = np.nonzero(near)
    result = np.zeros(near.shape)
    result[rows, columns] = _intersections(first[rows], second[columns])
    return np.minimum(result, smaller).clip(0)


def class_aware_rotated_nms(
    boxes: Floats, scores: Floats, labels: Integers, iou_threshold: float, limit: int
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression within each class: mmcv's ``batched_nms`` of oriented boxes.

    Each class is moved aside by an offset, in float32, as ``class_aware_nms`` does it.

    Args:
        boxes: N x 5, finite.
        iou_threshold: a box goes if its IoU with a better one *exceeds* this.
        limit: how many boxes to keep.

    Returns:
        Indices of the boxes kept, best first, equal scores in their order.
    """
    if not len(boxes):
        return np.empty(0, np.intp)
    step = boxes[:, :2].max() + boxes[:, 2:4].max() + np.float32(1)
    moved = boxes.copy()
    moved[:, :2] += (labels.astype(np.float32) * step)[:, None]
    rest = np.argsort(-scores, kind="stable")
    kept: list[np.intp] = []
    while len(rest) and len(kept) < limit:
        best, rest = rest[0], rest[1:]
        kept.append(best)
        rest = rest[~(rotated_iou(moved[best : best + 1], moved[rest])[0] > iou_threshold)]
    return np.array(kept, np.intp)


def _intersections(first: Points, second: Points) -> NDArray[np.float64]:
    """Areas that pairs of boxes share: N.

    1. In the second box's frame, that is |x| <= a, |y| <= b, and the first a quadrangle.
    2. The area is the sum over the quadrangle's sides of the integral of clip(y, -b, b), over that
       part of the side's x that is in [-a, a], with the sign of the side's direction (Green's
       theorem). Equal, nested and touching boxes are no special cases.
    """
    second_half = np.abs(second[:, 2:4]) / 2
    half_width, half_height = second_half[:, :1], second_half[:, 1:]
    x, y = _in_frame(corners_of(first - _centres(second)), second[:, 4])
    next_x, next_y = np.roll(x, -1, axis=1), np.roll(y, -1, axis=1)
    run = next_x - x
    steepness = (next_y - y) / np.where(run == 0, 1, run)
    start, stop = (np.clip(each, -half_width, half_width) for each in (x, next_x))
    y_start, y_stop = (y + (each - x) * steepness for each in (start, stop))
    mean = _mean_clipped(y_start, y_stop, half_height)
    # The corners go round clockwise, y down: the side with the larger y is run through backwards.
    area: NDArray[np.float64] = ((start - stop) * mean).sum(axis=1)
    return area


def _centres(boxes: Points) -> Points:
    """N x 5, to be subtracted from boxes."""
    return np.pad(boxes[:, :2], ((0, 0), (0, 3)))


def _in_frame(corners: Points, angles: NDArray[np.float64]) -> tuple[Points, Points]:
    """x and y of corners (N x 4), turned back by the angle of each box's partner."""
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = corners[..., 0], corners[..., 1]
    return x * cosine + y * sine, y * cosine - x * sine


def _mean_clipped(start: Points, stop: Points, limit: Points) -> Points:
    """Mean of clip(y, -limit, limit) while y runs evenly from ``start`` to ``stop``."""
    low, high = np.minimum(start, stop), np.maximum(start, stop)
    below = np.minimum(high, -limit) - np.minimum(low, -limit)
    above = np.maximum(high, limit) - np.maximum(low, limit)
    first, last = np.clip(low, -limit, limit), np.clip(high, -limit, limit)
    total = (above - below) * limit + (last - first) * (last + first) / 2
    way = high - low
    return np.where(way == 0, first, total / np.where(way == 0, 1, way))
