"""Oriented boxes and their corners, in numpy.

An oriented box is x, y of its centre, width, height, and the angle in radians by which it is turned
clockwise (y points down), as mmrotate has it. Its corners are those of the box before it was
turned: top left, top right, bottom right, bottom left.
"""

import numpy as np
from numpy.typing import NDArray

type Boxes = NDArray[np.floating]
"""N x 5."""
type Points = NDArray[np.float64]

SIGNS = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def corners_of(boxes: Boxes) -> Points:
    """The four corners of each box, clockwise: N x 4 x 2."""
    boxes = boxes.astype(np.float64)
    cosine, sine = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    turn = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    return (SIGNS * boxes[:, None, 2:4]) @ turn.transpose(0, 2, 1) + boxes[:, None, :2]


def boxes_of(corners: NDArray[np.floating]) -> Points:
    """The boxes with these corners (N x 4 x 2), which are rectangles: N x 5, angles in (-π, π].

    Corners that go round counterclockwise are those of the same rectangle. The angle is read from
    the longer side: a short one has lost digits, and one of no length all.
    """
    corners = corners.astype(np.float64)
    along, across = corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0]
    width, height = np.linalg.norm(along, axis=1), np.linalg.norm(across, axis=1)
    back = np.column_stack([across[:, 1], -across[:, 0]])  # a quarter turn counterclockwise
    x, y = np.where((width >= height)[:, None], along, back).T
    return np.column_stack([corners.mean(axis=1), width, height, np.arctan2(y, x)])


def areas_of(boxes: Boxes) -> NDArray[np.float64]:
    """Width times height of each box: N."""
    return boxes[:, 2].astype(np.float64) * boxes[:, 3]


def upright(boxes: Boxes) -> NDArray[np.float32]:
    """The upright box around each: x1, y1, x2, y2 (N x 4)."""
    corners = corners_of(boxes)
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
