"""A picture turned by any angle, with the exact rectangle that it stands in."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.data.quadrangles import Corners, Points

ROUNDING = 1e-9
"""Pixels that sines and cosines of whole quarters are off by, and more."""


class RotatedInk(NamedTuple):
    """``alpha``: (height, width). ``corners`` of its rectangle, in pixels of ``alpha``."""

    alpha: NDArray[np.float32]
    corners: Corners


def rotate_ink(alpha: NDArray[np.float32], angle: float, least: float) -> RotatedInk:
    """Turn a picture about its centre, by bilinear interpolation.

    1. Nothing is written on a pixel whose centre is not in the turned rectangle: the rectangle
       contains all that can be seen. Where the picture reached its side before, the ink is at most
       a pixel away from it.
    2. Of the pixels around, as many are there as the corners need.

    Args:
        alpha: cropped to its ink, (height, width).
        angle: in radians, clockwise as seen: from x to y, which points down.
        least: alpha below this becomes 0.
    """
    height, width = alpha.shape
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    offsets = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2) @ turn.T
    size = np.ceil(2 * offsets.max(axis=0) - ROUNDING).astype(int)
    corners = offsets + size / 2
    from_middle = _pixel_centres(size) - size / 2
    source = from_middle @ turn  # turned back
    half = np.array([width, height]) / 2
    across, down = np.moveaxis((source + half - 0.5).astype(np.float32), -1, 0)  # OpenCV: from 0
    border = cv2.BORDER_REPLICATE
    turned = cv2.remap(alpha, across, down, cv2.INTER_LINEAR, borderMode=border)
    ink = np.array(turned, np.float32)
    outside = (np.abs(source) > half).any(axis=-1)
    ink[outside | (ink < least)] = 0
    return RotatedInk(ink, tuple(float(value) for value in corners.ravel()))


def _pixel_centres(size: NDArray[np.int_]) -> Points:
    """x and y of every pixel's centre: (height, width, 2)."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    return np.stack([x, y], axis=-1)
