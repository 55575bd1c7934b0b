"""The operators for rotated boxes as mmcv's Python calls its compiled ones (mmcv 2.1.0).

mmcv turns angles round first where they are counter-clockwise. The calls are those of
mmcv/ops/box_iou_rotated.py, nms.py and diff_iou_rotated.py.
"""

from torch import Tensor

from mmdet2tflite.detector.rotated.overlap import rotated_overlaps
from mmdet2tflite.detector.rotated.suppression import keep_rotated
from mmdet2tflite.detector.rotated.vertices import sort_vertices

OF_FIRST = 1
"""``mode_flag`` of IoF; IoU's is 0."""


def box_iou_rotated(
    boxes1: Tensor, boxes2: Tensor, ious: Tensor, mode_flag: int, aligned: bool
) -> None:
    """Write overlaps of N with M boxes into ``ious``: N · M row by row, or N if aligned.

    Columns behind the fifth do not count: mmrotate's DOTAMetric leaves the scores there.
    """
    of_first = mode_flag == OF_FIRST
    overlaps = rotated_overlaps(boxes1[:, :5], boxes2[:, :5], of_first=of_first, aligned=aligned)
    ious.copy_(overlaps.reshape(ious.shape))


def nms_rotated(
    dets: Tensor,
    scores: Tensor,
    order: Tensor,
    dets_sorted: Tensor,
    labels: Tensor,
    iou_threshold: float,
    multi_label: bool,
) -> Tensor:
    """Indices of the kept ones of N boxes, best first.

    1. ``dets_sorted`` holds the boxes by falling score, ``order`` where each stood.
    2. A box goes if its IoU exceeds the threshold, as mmcv's documentation and its CUDA kernel have
       it. Its CPU kernel removes an equal one, too.
    3. With ``multi_label`` the boxes have a sixth column, the label. As in mmcv's kernels and its
       own test of them, boxes with different labels suppress each other all the same.
    """
    return order[keep_rotated(dets_sorted[:, :5], iou_threshold)]


def diff_iou_rotated_sort_vertices_forward(
    vertices: Tensor, mask: Tensor, num_valid: Tensor
) -> Tensor:
    """``sort_vertices``; mmcv counts the valid vertices beforehand."""
    return sort_vertices(vertices, mask)


ROTATED_OPERATORS = (box_iou_rotated, nms_rotated, diff_iou_rotated_sort_vertices_forward)
"""Each under its own name in ``mmcv._ext``."""
