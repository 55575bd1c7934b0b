"""Non-maximum suppression of rotated boxes. Child processes only."""

import torch
from torch import Tensor

from mmdet2tflite.detector.rotated.overlap import rotated_overlaps

HEADS_AT_ONCE = 128
"""Boxes that are settled among themselves before those behind them are compared with them."""


@torch.no_grad()
def keep_rotated(boxes: Tensor, iou_threshold: float) -> Tensor:
    """Greedy suppression: a box goes if its IoU with a kept one before it exceeds the threshold.

    Args:
        boxes: N x 5 (``overlap``), best first.
        iou_threshold: 0 to 1; a box with just this IoU stays.

    Returns:
        Ascending indices of the kept boxes, int64, on the boxes' device.
    """
    boxes = boxes.double()
    left = torch.arange(len(boxes), device=boxes.device)
    kept = [left[:0]]
    while len(left):
        head, left = left[:HEADS_AT_ONCE], left[HEADS_AT_ONCE:]
        exceeds = rotated_overlaps(boxes[head], boxes[head]) > iou_threshold
        head = head[_first_come(exceeds.cpu()).to(head.device)]
        kept.append(head)
        exceeds = rotated_overlaps(boxes[head], boxes[left]) > iou_threshold
        left = left[~exceeds.any(0)]
    return torch.cat(kept)


def _first_come(exceeds: Tensor) -> Tensor:
    """Mask of n boxes, from which of them exceed the threshold with which (n x n)."""
    rows = exceeds.numpy()
    alive = torch.ones(len(rows), dtype=torch.bool)
    mask = alive.numpy()
    for i in range(len(rows)):
        if mask[i]:
            mask[i + 1 :] &= ~rows[i, i + 1 :]
    return alive
