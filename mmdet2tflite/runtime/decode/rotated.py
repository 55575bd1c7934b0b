"""Oriented boxes in numpy: corners, intersection over union, non-maximum suppression.

An oriented box is x, y of its centre, width, height, and the angle in radians by which it is turned
clockwise (y points down), as mmrotate has it.
"""

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.runtime.decode.types import Floats, Integers

type Boxes = NDArray[np.floating]
"""N x 5."""
type Points = NDArray[np.float64]

TOUCHING = 1e-9
"""Of a side's length: a corner that is as near to the other box's border counts as inside."""
PAIRS_OF_SIDES = 16
SIGNS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def corners_of(boxes: Boxes) -> Points:
    """The four corners of each box, clockwise: N x 4 x 2."""
    boxes = boxes.astype(np.float64)
    cosine, sine = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    turn = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    return (SIGNS * boxes[:, None, 2:4]) @ turn.transpose(0, 2, 1) + boxes[:, None, :2]


def rotated_iou(boxes: Boxes, others: Boxes) -> NDArray[np.float64]:
    """Intersection over union of oriented boxes, in float64.

    Boxes without area overlap nothing.

    Args:
        boxes: N x 5, finite.
        others: M x 5, finite.

    Returns:
        N x M, from 0 to 1.
    """
    first, second = boxes.astype(np.float64), others.astype(np.float64)
    areas = first[:, 2] * first[:, 3], second[:, 2] * second[:, 3]
    radii = (np.hypot(each[:, 2], each[:, 3]) / 2 for each in (first, second))
    apart = np.linalg.norm(first[:, None, :2] - second[None, :, :2], axis=2)
    near = apart < np.add.outer(*radii)  # of others, the circles around them do not meet
    near &= np.minimum.outer(*areas) > 0
    rows, columns = np.nonzero(near)
    shared = _intersections(first[rows], second[columns])
    result = np.zeros(near.shape)
    result[rows, columns] = shared / (areas[0][rows] + areas[1][columns] - shared)
    return result.clip(0, 1)


def class_aware_rotated_nms(
    boxes: Floats, scores: Floats, labels: Integers, iou_threshold: float, limit: int
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression within each class: mmcv's ``batched_nms`` of oriented boxes.

    Args:
        boxes: N x 5, finite.
        iou_threshold: a box goes if its IoU with a better one *exceeds* this.
        limit: how many boxes to keep.

    Returns:
        Indices of the boxes kept, best first, equal scores in their order.
    """
    rest = np.argsort(-scores, kind="stable")
    kept: list[np.intp] = []
    while len(rest) and len(kept) < limit:
        best, rest = rest[0], rest[1:]
        kept.append(best)
        same = rest[labels[rest] == labels[best]]
        overlapping = same[rotated_iou(boxes[best : best + 1], boxes[same])[0] > iou_threshold]
        rest = rest[~np.isin(rest, overlapping, assume_unique=True)]
    return np.array(kept, np.intp)


def _intersections(first: Points, second: Points) -> NDArray[np.float64]:
    """Areas that pairs of boxes share: N.

    The shared polygon is convex. Its vertices are the corners of either box that lie in the other,
    and the places where their sides cross; about their mean they stand in the order of their angle.
    """
    # About the first box's centre, so that no digits are lost far from the origin.
    second = second - np.pad(first[:, :2], ((0, 0), (0, 3)))
    first = first * [0, 0, 1, 1, 1]
    one, other = corners_of(first), corners_of(second)
    crossings, cross = _crossings(one, other)
    points = np.concatenate([one, other, crossings], axis=1)
    valid = np.concatenate([_inside(one, second), _inside(other, first), cross], axis=1)
    count = np.maximum(valid.sum(axis=1), 1)
    middle = (points * valid[..., None]).sum(axis=1) / count[:, None]
    # What is no vertex is moved onto the middle, where it encloses no area.
    offsets = np.where(valid[..., None], points - middle[:, None], 0)
    angles = np.where(valid, np.arctan2(offsets[..., 1], offsets[..., 0]), np.inf)
    order = np.argsort(angles, axis=1)
    x, y = np.moveaxis(np.take_along_axis(offsets, order[..., None], axis=1), -1, 0)
    last = np.arange(x.shape[1]) == count[:, None] - 1
    next_x = np.where(last, x[:, :1], np.roll(x, -1, axis=1))
    next_y = np.where(last, y[:, :1], np.roll(y, -1, axis=1))
    area: NDArray[np.float64] = np.abs((x * next_y - y * next_x).sum(axis=1)) / 2
    return area


def _inside(points: Points, boxes: Points) -> NDArray[np.bool_]:
    """Which of K points of each of N boxes' partners lie in the box, or on its border: N x K."""
    cosine, sine = np.cos(boxes[:, 4, None]), np.sin(boxes[:, 4, None])
    x, y = np.moveaxis(points - boxes[:, None, :2], -1, 0)
    across, down = x * cosine + y * sine, y * cosine - x * sine
    half = boxes[:, None, 2:4] / 2 * (1 + TOUCHING)
    inside: NDArray[np.bool_] = (np.abs(across) <= half[..., 0]) & (np.abs(down) <= half[..., 1])
    return inside


def _crossings(one: Points, other: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Where the sides of two quadrangles cross: N x 16 x 2, and whether they do."""
    start, side = one[:, :, None], (np.roll(one, -1, axis=1) - one)[:, :, None]
    other_start, other_side = other[:, None], (np.roll(other, -1, axis=1) - other)[:, None]
    between = other_start - start
    crossed = _cross(side, other_side)
    parallel = crossed == 0
    divisor = np.where(parallel, 1, crossed)
    along = _cross(between, other_side) / divisor
    other_along = _cross(between, side) / divisor
    within = (along >= 0) & (along <= 1) & (other_along >= 0) & (other_along <= 1) & ~parallel
    places = start + np.where(within, along, 0)[..., None] * side
    return places.reshape(len(one), PAIRS_OF_SIDES, 2), within.reshape(len(one), PAIRS_OF_SIDES)


def _cross(one: Points, other: Points) -> NDArray[np.float64]:
    product: NDArray[np.float64] = one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
    return product
