"""Quadrangles as oriented boxes: what is wrong with one, and the rectangle that stands for it.

Corners are (x, y) in pixels, y pointing down, in an order that walks around the outline.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

type Corners = tuple[float, ...]
"""x and y of four corners in turn."""
type Points = NDArray[np.float64]
"""N x 2."""

THINNEST = 0.01
"""Pixels; a rectangle that is thinner has no area, but for rounding."""


def points_of(corners: Sequence[float]) -> Points:
    """x, y, x, y … as N x 2."""
    return np.array(corners, np.float64).reshape(-1, 2)


def crosses_itself(points: Points) -> bool:
    """Whether two opposite sides of a quadrangle cross, so that it has no inside to speak of."""
    a, b, c, d = points
    return _cross(a, b, c, d) or _cross(b, c, d, a)


def bounds(points: Points) -> tuple[float, float, float, float]:
    """The upright box around points: x, y, width, height."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right - left), float(bottom - top)


def clip(points: Points, width: float, height: float) -> Points:
    """The part of a polygon that lies in an image; no points where nothing does.

    Sutherland and Hodgman (1974): cut along one border after the other.
    """
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        inside = sign * (points[:, axis] - limit)
        kept: list[Points] = []
        for here, there in zip(range(-1, len(points) - 1), range(len(points)), strict=True):
            if inside[here] * inside[there] < 0:
                share = inside[here] / (inside[here] - inside[there])
                crossing = points[here] + share * (points[there] - points[here])
                crossing[axis] = limit  # to the last digit
                kept.append(crossing)
            if inside[there] >= 0:
                kept.append(points[there])
        points = np.array(kept).reshape(-1, 2)
    return points


def smallest_rectangle(points: Points) -> tuple[Corners, float]:
    """The rectangle of least area around points: its corners, and its area, 0 if it is too thin.

    One side of it lies on the points' convex hull (Freeman and Shapira, 1975); OpenCV finds it.
    """
    middle = points.mean(axis=0)  # OpenCV computes in float32
    (x, y), (width, height), degrees = cv2.minAreaRect((points - middle).astype(np.float32))
    angle = math.radians(degrees)
    along = np.array([math.cos(angle), math.sin(angle)]) * width / 2
    across = np.array([-math.sin(angle), math.cos(angle)]) * height / 2
    centre = middle + np.array([x, y])
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    corners = [centre + one * along + other * across for one, other in signs]
    area = width * height if min(width, height) >= THINNEST else 0.0
    return tuple(float(value) for corner in corners for value in corner), area


def _cross(a: Points, b: Points, c: Points, d: Points) -> bool:
    """Whether the segments a-b and c-d cross in a point that is inside of both."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Points, b: Points, point: Points) -> float:
    (x, y), (u, v) = b - a, point - a
    return float(x * v - y * u)
