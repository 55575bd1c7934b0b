"""What a Resize does along one axis, as a matrix; and what LiteRT's kernels do there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdet2tflite.graph.edit import Array

HALF_PIXEL = ("half_pixel", "pytorch_half_pixel")
ROUNDINGS = 8
"""Units in the last place of a position that two ways to compute it may differ by."""

type Matrix = np.ndarray
"""Output positions x input positions: what each output is the weighted sum of."""


@dataclass(frozen=True)
class Along:
    """What a Resize does along one axis: ``matrix`` says all, since the axes are independent."""

    axis: int
    matrix: Matrix

    @property
    def changes(self) -> bool:
        """Whether it is more than a copy."""
        return not np.array_equal(self.matrix, np.eye(len(self.matrix), dtype=np.float32))

    @property
    def count(self) -> int:
        """Of outputs."""
        return self.matrix.shape[0]

    @property
    def size(self) -> int:
        """Of inputs."""
        return self.matrix.shape[1]


def reads(found: Sequence[Along], half_pixel: bool) -> bool:
    """Whether LiteRT's nearest kernel reads these positions."""
    return all(
        (indices := indices_of(along)) is not None
        and np.array_equal(indices, nearest(along.count, along.size, half_pixel))
        for along in found
    )


def nearest(count: int, size: int, half_pixel: bool) -> Array:
    """``reference_ops::ResizeNearestNeighbor``, which computes in float32."""
    ratio, offset = np.float32(size) / np.float32(count), np.float32(half_pixel) / 2
    positions = np.floor((np.arange(count, dtype=np.float32) + offset) * ratio)
    return np.minimum(positions.astype(np.int64), size - 1)


def bilinear(count: int, size: int, how: str) -> Matrix:
    """``reference_ops::ResizeBilinear``, which computes in float32."""
    outputs = np.arange(count, dtype=np.float32)
    ratio = np.float32(size) / np.float32(count)
    if how == "align_corners" and count > 1:
        ratio = np.float32(size - 1) / np.float32(count - 1)
    half = np.float32(0.5 if how in HALF_PIXEL else 0)
    positions = np.clip((outputs + half) * ratio - half, 0, size - 1)
    lower = np.floor(positions).astype(np.int64)
    matrix = np.zeros((count, size), np.float32)
    rows = np.arange(count)
    matrix[rows, lower] = 1 - (positions - lower)
    matrix[rows, np.minimum(lower + 1, size - 1)] += positions - lower
    return matrix


def close(one: Matrix, other: Matrix) -> bool:
    """Weights differ by no more than positions do that are rounded to float32."""
    rounding = ROUNDINGS * float(np.finfo(np.float32).eps) * max(one.shape)
    return float(np.abs(one - other).max()) <= rounding


def indices_of(along: Along) -> Array | None:
    """The position that each output is a copy of; None where it is anything else."""
    is_copy = np.isin(along.matrix, (0, 1)).all() and (along.matrix.sum(axis=1) == 1).all()
    return along.matrix.argmax(axis=1) if is_copy else None
