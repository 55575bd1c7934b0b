"""Intersection over union of rotated boxes, for all pairs at once. Child processes only.

A box is (centre x, centre y, width, height, angle): pixels and radians, x to the right, y down, a
positive angle turns x towards y. That is mmcv's order and its default sense (``clockwise=True``).
"""

import torch
from torch import Tensor

PAIRS_AT_ONCE = 2**14
"""Pairs in one step, which holds some 1 kB for each: 16 MB, whatever the number of boxes."""


@torch.no_grad()
def rotated_overlaps(
    boxes1: Tensor, boxes2: Tensor, *, of_first: bool = False, aligned: bool = False
) -> Tensor:
    """Overlap of rotated boxes, without a gradient.

    1. IoU: common area by the area of both together. ``of_first``: by the first box's area (IoF,
       intersection over foreground).
    2. The arithmetic is in float64: a long thin box at a large coordinate needs more digits than
       float32 has.
    3. A box without a positive area w · h, or with a number that is not finite, overlaps nothing. w
       and h both negative are the same box turned by 180°.

    Args:
        boxes1: N x 5.
        boxes2: M x 5, or N x 5 if ``aligned``.
        of_first: IoF instead of IoU.
        aligned: row i of ``boxes1`` with row i of ``boxes2`` only.

    Returns:
        N x M, or N if ``aligned``; float64, from 0 to 1.
    """
    first, second = boxes1.double(), boxes2.double()
    if aligned:
        pairs = zip(first.split(PAIRS_AT_ONCE), second.split(PAIRS_AT_ONCE), strict=True)
        return torch.cat([_overlap(ours, theirs, of_first) for ours, theirs in pairs])
    overlaps = first.new_zeros(len(first), len(second))
    if not overlaps.numel():
        return overlaps
    columns = min(len(second), PAIRS_AT_ONCE)
    for i, ours in _blocks(first, PAIRS_AT_ONCE // columns):
        for j, theirs in _blocks(second, columns):
            overlaps[i, j] = _overlap(ours[:, None], theirs[None], of_first)
    return overlaps


def _blocks(boxes: Tensor, size: int) -> list[tuple[slice, Tensor]]:
    starts = range(0, len(boxes), size)
    return [(slice(start, start + size), boxes[start : start + size]) for start in starts]


def _overlap(first: Tensor, second: Tensor, of_first: bool) -> Tensor:
    """Of ... x 5 and ... x 5, broadcast against each other. Only what is near is clipped."""
    near = _circles_meet(first, second)
    overlap = first.new_zeros(near.shape)
    first, second = (boxes.expand(*near.shape, 5)[near] for boxes in (first, second))
    area1, area2 = (boxes[:, 2] * boxes[:, 3] for boxes in (first, second))
    # Rounding must not make it larger than either.
    common = intersection_area(first, second).clamp(min=0).minimum(area1).minimum(area2)
    overlap[near] = common / (area1 if of_first else area1 + area2 - common)
    return overlap


def _circles_meet(first: Tensor, second: Tensor) -> Tensor:
    """Boxes whose circumscribed circles do not meet have nothing in common."""
    centre1, centre2 = first[..., :2], second[..., :2]
    distance = torch.hypot(*(centre1 - centre2).unbind(-1))
    # A NaN, and a radius of minus infinity, fail the comparison.
    return distance <= _radius(first) + _radius(second)


def _radius(boxes: Tensor) -> Tensor:
    """Half the diagonal; minus infinity for a box that overlaps nothing."""
    width, height = boxes[..., 2], boxes[..., 3]
    area = width * height
    usable = (area > 0) & area.isfinite() & boxes.isfinite().all(-1)
    return torch.where(usable, torch.hypot(width, height) / 2, -torch.inf)


def intersection_area(first: Tensor, second: Tensor) -> Tensor:
    """Area that each of P pairs of rotated boxes has in common.

    1. In the second box's frame, it is |x| <= a, |y| <= b, and the first is a convex polygon.
    2. A line of constant x cuts the polygon from its lower to its upper edge, and has
       clamp(upper, -b, b) - clamp(lower, -b, b) in common with the second box.
    3. So the area is the sum over the polygon's edges of the integral of clamp(y, -b, b) over that
       part of the edge's x that is in [-a, a], with the sign of the edge's direction (Green's
       theorem).

    No vertex is looked for and none is sorted, so equal, nested and touching boxes, collinear edges
    and edges through a corner are no special cases: the sum is continuous in every number.

    Args:
        first: P x 5, float64, areas positive.
        second: P x 5.

    Returns:
        P, in square pixels.
    """
    x, y = _corners_in_frame(first, second)
    half_width, half_height = (second[:, 2:4].abs() / 2).split(1, dim=1)
    next_x, next_y = x.roll(-1, dims=1), y.roll(-1, dims=1)
    start, stop = x.clamp(-half_width, half_width), next_x.clamp(-half_width, half_width)
    y_start = _height_at(start, x, y, next_x, next_y)
    y_stop = _height_at(stop, x, y, next_x, next_y)
    mean = _mean_clamped(y_start, y_stop, half_height)
    # The corners go round from x towards y: the edge with the larger y is run through backwards.
    return ((start - stop) * mean).sum(1)


def _corners_in_frame(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """x and y (each P x 4) of the first boxes' corners, in order from x towards y."""
    dx, dy = (first[:, :2] - second[:, :2]).unbind(1)
    cos, sin = second[:, 4].cos(), second[:, 4].sin()
    turn = first[:, 4] - second[:, 4]
    along, across = first[:, 2] / 2, first[:, 3] / 2
    signs = first.new_tensor([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    u, v = along[:, None] * signs[:, 0], across[:, None] * signs[:, 1]
    x = (dx * cos + dy * sin)[:, None] + u * turn.cos()[:, None] - v * turn.sin()[:, None]
    y = (dy * cos - dx * sin)[:, None] + u * turn.sin()[:, None] + v * turn.cos()[:, None]
    return x, y


def _height_at(where: Tensor, x: Tensor, y: Tensor, next_x: Tensor, next_y: Tensor) -> Tensor:
    """y of each edge at x = ``where``. An upright edge has none, but counts with width zero."""
    run = next_x - x
    return y + (where - x) / torch.where(run == 0, 1, run) * (next_y - y)


def _mean_clamped(start: Tensor, stop: Tensor, limit: Tensor) -> Tensor:
    """Mean of clamp(y, -limit, limit) while y runs evenly from ``start`` to ``stop``.

    The parts of the way below, between and above the limits, each with its own mean.
    """
    low, high = start.minimum(stop), start.maximum(stop)
    below = high.minimum(-limit) - low.minimum(-limit)
    above = high.maximum(limit) - low.maximum(limit)
    first, last = low.clamp(-limit, limit), high.clamp(-limit, limit)
    total = (above - below) * limit + (last - first) * (last + first) / 2
    way = high - low
    return torch.where(way == 0, first, total / torch.where(way == 0, 1, way))
