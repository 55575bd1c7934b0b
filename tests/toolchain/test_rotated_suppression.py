"""Does the suppression of rotated boxes keep what comparing one by one keeps?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from mmdet2tflite.detector import compat
from tests.toolchain.rotated_boxes import plain

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.toolchain

HALVES = np.array([[0.0, 0, 2, 2, 0], [0.5, 0, 1, 2, 0]])
"""The second is half of the first: their IoU is 0.5, without a rounding."""


@pytest.fixture(autouse=True, scope="module")
def _mmcv() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


def by_mmcv(boxes: np.ndarray, scores: object, threshold: float, **how: object) -> torch.Tensor:
    """Kept boxes with their scores, and their indices."""
    import torch
    from mmcv.ops import nms_rotated

    numbers = (torch.tensor(each, dtype=torch.float32) for each in (boxes, scores))
    return nms_rotated(*numbers, threshold, **how)


def one_by_one(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    import torch

    from mmdet2tflite.detector.rotated.overlap import rotated_overlaps

    tensor = torch.tensor(boxes, dtype=torch.float32)
    overlaps = rotated_overlaps(tensor, tensor).numpy()
    kept: list[int] = []
    for i in np.argsort(-scores):
        if all(overlaps[j, i] <= threshold for j in kept):
            kept.append(int(i))
    return kept


@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 600])
def test_what_one_by_one_keeps(count, threshold):
    """Also where the boxes are more than are settled at once."""
    random = np.random.default_rng(count)
    boxes = plain(random, count) * [3, 3, 1, 1, 1]
    scores = random.permutation(count) / count
    dets, kept = by_mmcv(boxes, scores, threshold)
    assert kept.tolist() == one_by_one(boxes, scores, threshold)
    expected = np.column_stack([boxes, scores]).astype(np.float32)[kept.numpy()]
    np.testing.assert_array_equal(dets, expected)


def test_a_box_that_is_gone_removes_none():
    """IoU of neighbours 3/5, of the first with the third 2/6."""
    row = np.array([[0.0, 0, 4, 2, 0], [1, 0, 4, 2, 0], [2, 0, 4, 2, 0]])
    assert by_mmcv(row, [0.9, 0.8, 0.7], 0.4)[1].tolist() == [0, 2]


@pytest.mark.parametrize(("threshold", "kept"), [(0.5, [1, 0]), (0.4999, [1])])
def test_a_box_goes_if_its_iou_exceeds_the_threshold(threshold, kept):
    assert by_mmcv(HALVES, [0.1, 0.2], threshold)[1].tolist() == kept


def test_what_the_compiled_operator_keeps():
    """The figures of mmcv's tests/test_ops/test_nms_rotated.py, where labels change nothing."""
    import torch

    boxes = np.array(
        [[6, 3, 8, 7, 0.5], [3, 6, 9, 11, 0.6], [3, 7, 10, 12, 0.3], [1, 4, 13, 7, 0.6]]
    )
    scores = [0.7, 0.8, 0.5, 0.9]
    for labels in (None, torch.tensor([1.0, 0, 1, 0])):
        assert by_mmcv(boxes, scores, 0.5, labels=labels)[1].tolist() == [3, 1, 0]


def test_no_boxes_are_kept_of_none():
    import torch

    from mmdet2tflite.detector.rotated.suppression import keep_rotated

    assert keep_rotated(torch.zeros(0, 5), 0.5).tolist() == []


def test_mmdet_asks_for_each_class_by_itself():
    import torch
    from mmcv.ops import batched_nms

    random = np.random.default_rng(1)
    boxes, classes = plain(random, 90), random.integers(0, 3, 90)
    scores = random.permutation(90) / 90
    numbers = [torch.tensor(each, dtype=torch.float32) for each in (boxes, scores)]
    settings = {"type": "nms_rotated", "iou_threshold": 0.1}
    kept = batched_nms(*numbers, torch.tensor(classes), settings)[1].tolist()
    alone = [np.flatnonzero(classes == each) for each in range(3)]
    expected = [
        int(places[i]) for places in alone for i in one_by_one(boxes[places], scores[places], 0.1)
    ]
    assert kept == sorted(expected, key=lambda i: -scores[i])
    assert len(kept) > len(one_by_one(boxes, scores, 0.1))
