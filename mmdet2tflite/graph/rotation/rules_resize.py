"""The rule for Resize: it commutes with a flip if its index map is symmetric.

Along one axis from H to n positions, position o of the output reads the input around x(o).

1. Nearest: reads index(o); symmetric if index(n - 1 - o) = H - 1 - index(o) for every o.
2. Linear, cubic: symmetric if x(n - 1 - o) = H - 1 - x(o) for every o.
3. An axis of H = n positions with scale 1 is only copied.
4. x(o) is computed in fractions. Where float32 cannot hold the scale n / H, a backend may
   get to the other side of a tie between two positions: such a map counts as not symmetric.

Source of x(o) and of the rounding: ONNX operator specification, Resize.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import ceil, floor

import numpy as np

from mmdet2tflite.graph.edit import integer, integers, string
from mmdet2tflite.graph.rotation.rule import (
    Answer,
    Flipped,
    Operation,
    Refused,
    keep,
    of_first_input,
)

CROPPING = "tf_crop_and_resize"
HALF = Fraction(1, 2)
NEAR = Fraction(1, 1000)
"""Positions; float32 is finer than that for any map of fewer than 8192 positions."""

ROUNDING: dict[str, Callable[[Fraction], int]] = {
    "round_prefer_floor": lambda x: ceil(x - HALF),
    "round_prefer_ceil": lambda x: floor(x + HALF),
    "floor": floor,
    "ceil": ceil,
}


@of_first_input
def resize(operation: Operation) -> Answer:
    """Keeps the axes flipped whose index map is symmetric; wants the others unflipped."""
    if operation.is_computed(2) or operation.is_computed(3):
        return Refused("computes its scales")
    if string(operation.node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return Refused("keeps the aspect ratio")
    symmetric = frozenset(axis for axis in operation.flipped[0] if _is_symmetric(operation, axis))
    if symmetric != operation.flipped[0]:
        how = string(operation.node, "coordinate_transformation_mode", "half_pixel")
        mode = string(operation.node, "mode", "nearest")
        return keep(operation, symmetric, f"reads its input unevenly ({mode}, {how})")
    return Flipped(symmetric)


def _is_symmetric(operation: Operation, axis: int) -> bool:
    node = operation.node
    how = string(node, "coordinate_transformation_mode", "half_pixel")
    size, count = operation.shape(0)[axis], operation.output_shape[axis]
    scale = _scale(operation, axis)
    if how == CROPPING or integer(node, "antialias", 0):
        return False
    if size == count and scale == 1:  # rule 3
        return True
    coordinates = _coordinates(how, size, count, scale)
    if string(node, "mode", "nearest") != "nearest":
        return _add_up(coordinates, size - 1)  # rule 2
    rounding = ROUNDING[string(node, "nearest_mode", "round_prefer_floor")]

    def read(x: Fraction) -> int:
        return min(max(rounding(x), 0), size - 1)

    held = Fraction(float(np.float32(float(scale))))
    if held != Fraction(count, size) and any(read(x - NEAR) != read(x + NEAR) for x in coordinates):
        return False  # rule 4
    return _add_up([read(x) for x in coordinates], size - 1)  # rule 1


def _add_up(numbers: Sequence[Fraction | int], total: int) -> bool:
    """Whether the first and the last, the second and the last but one … have this sum."""
    return all(x + y == total for x, y in zip(numbers, reversed(numbers), strict=True))


def _scale(operation: Operation, axis: int) -> Fraction:
    """Output over input: as given, or by the sizes."""
    scales = operation.constant(2)
    if scales is None or not scales.size:
        return Fraction(operation.output_shape[axis], operation.shape(0)[axis])
    rank = len(operation.shape(0))
    axes = [each % rank for each in integers(operation.node, "axes", range(rank))]
    return Fraction(float(scales[axes.index(axis)])) if axis in axes else Fraction(1)


def _coordinates(how: str, size: int, count: int, scale: Fraction) -> list[Fraction]:
    """x(o) of every output position."""
    if how == "asymmetric":
        return [o / scale for o in range(count)]
    if how == "align_corners" and count > 1:
        return [Fraction(o * (size - 1), count - 1) for o in range(count)]
    if how == "align_corners" or (how == "pytorch_half_pixel" and count == 1):
        return [Fraction(0)]
    # half_pixel_symmetric moves the middle where the scale does not give the size exactly.
    unused = size * HALF * (1 - count / (scale * size))
    offset = unused if how == "half_pixel_symmetric" else 0
    return [offset + (o + HALF) / scale - HALF for o in range(count)]
