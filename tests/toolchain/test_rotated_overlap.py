"""Is the overlap of rotated boxes right for every kind of pair, and given as mmcv asks for it?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from mmdet2tflite.detector import compat
from tests.toolchain.rotated_boxes import PAIRS_OF_A_KIND, exact_overlap, kinds, plain

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.toolchain

INFINITY, NAN = math.inf, math.nan
UNIT = [0, 0, 2, 2, 0]


@pytest.fixture(autouse=True, scope="module")
def _mmcv() -> None:
    compat.prepare()  # not on import: collecting the fast tests would load PyTorch


def overlaps(first: np.ndarray, second: np.ndarray, **how: bool) -> np.ndarray:
    import torch

    from mmdet2tflite.detector.rotated.overlap import rotated_overlaps

    return rotated_overlaps(torch.tensor(first), torch.tensor(second), **how).numpy()


def by_mmcv(first: object, second: object, **how: object) -> torch.Tensor:
    import torch
    from mmcv.ops import box_iou_rotated

    first, second = (torch.tensor(boxes, dtype=torch.float32) for boxes in (first, second))
    return box_iou_rotated(first, second, **how)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(UNIT, UNIT, 1, id="equal"),
        pytest.param(UNIT, [0, 0, 2, 2, math.pi / 2], 1, id="a square turned by 90°"),
        pytest.param([5, 5, 4, 2, 1], [5, 5, 4, 2, 1 + math.pi], 1, id="turned by 180°"),
        pytest.param([5, 5, 4, 2, 1], [5, 5, 2, 4, 1 + math.pi / 2], 1, id="sides exchanged"),
        pytest.param([5, 5, 4, 2, 1], [5, 5, -4, -2, 1], 1, id="both sides negative"),
        # A regular octagon of 8 (√2 - 1) square pixels, of two squares of 4.
        pytest.param(UNIT, [0, 0, 2, 2, math.pi / 4], 1 / math.sqrt(2), id="turned by 45°"),
        pytest.param(UNIT, [1, 1, 2, 2, 0], 1 / 7, id="a quarter"),
        pytest.param(UNIT, [1, 0, 2, 2, 0], 1 / 3, id="edges on one line"),
        pytest.param(UNIT, [0, 0, 1, 1, 0.3], 1 / 4, id="nested"),
        pytest.param(UNIT, [-0.5, -0.5, 1, 1, 0], 1 / 4, id="nested, in a corner"),
        pytest.param([0, 0, 10, 1, 0], [0, 0, 10, 1, math.pi / 2], 1 / 19, id="a cross"),
        # Half the unit square lies below its diagonal, which the other one's edge follows.
        pytest.param(
            UNIT,
            [math.sqrt(2), -math.sqrt(2), 4, 4, math.pi / 4],
            2 / (4 + 16 - 2),
            id="an edge through two corners",
        ),
        pytest.param(UNIT, [2, 0, 2, 2, 0], 0, id="an edge in common"),
        pytest.param(UNIT, [2, 2, 2, 2, 0], 0, id="a corner in common"),
        pytest.param(UNIT, [9, 9, 2, 2, 1], 0, id="apart"),
        pytest.param(UNIT, [0, 0, 0, 2, 0], 0, id="no width"),
        pytest.param([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], 0, id="two points"),
        pytest.param(UNIT, [0, 0, -2, 2, 0], 0, id="one side negative"),
        pytest.param(UNIT, [NAN, 0, 2, 2, 0], 0, id="no number: centre"),
        pytest.param(UNIT, [0, 0, NAN, 2, 0], 0, id="no number: width"),
        pytest.param(UNIT, [0, 0, 2, 2, NAN], 0, id="no number: angle"),
        pytest.param(UNIT, [0, 0, INFINITY, 2, 0], 0, id="infinite: width"),
        pytest.param(UNIT, [0, 0, 2, 2, INFINITY], 0, id="infinite: angle"),
    ],
)
def test_known_overlaps(first, second, expected):
    there, back = by_mmcv([first], [second]), by_mmcv([second], [first])
    # float32 has π with an error of 9e-8.
    assert there.item() == pytest.approx(expected, abs=5e-7)
    assert back.item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(("kind", "first", "second"), [pytest.param(*k, id=k[0]) for k in kinds()])
def test_what_fractions_give(kind, first, second):
    """150 pairs of each of 23 kinds. What the angles' last digit does to thin boxes is allowed."""
    expected = np.array([exact_overlap(*pair) for pair in zip(first, second, strict=True)])
    tolerance = 1e-10 if kind.startswith("thin") else 2e-15
    for of_first in (False, True):
        found = overlaps(first, second, of_first=of_first, aligned=True)
        np.testing.assert_allclose(found, expected[:, int(of_first)], rtol=0, atol=tolerance)


def test_small_boxes_far_out_are_as_exact_in_float32():
    far = np.array([4000, 4000, 0, 0, 0])
    small = [1, 1, 0.1, 0.1, 1]
    first, second = (
        (plain(np.random.default_rng(seed)) * [0.1, 0.1, 1, 1, 1] * small + far).astype(np.float32)
        for seed in (1, 2)
    )
    expected = [exact_overlap(*pair)[0] for pair in zip(first, second, strict=True)]
    assert sum(each > 0 for each in expected) > PAIRS_OF_A_KIND / 3
    found = by_mmcv(first, second, aligned=True).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=6e-8)  # float32's rounding below 1


def test_opencv_has_the_same():
    """Its tolerances, in float32, cost it a vertex now and then: fractions decide who is right.

    Pairs of boxes anyhow only. On nearly equal ones and edges on one line it is wrong by up to 0.7.
    """

    def by_opencv(first: np.ndarray, second: np.ndarray) -> float:
        boxes = [(box[:2], box[2:4], math.degrees(box[4])) for box in (first, second)]
        found, polygon = cv2.rotatedRectangleIntersection(*boxes)
        common = cv2.contourArea(polygon) if found else 0
        return common / (np.prod(first[2:4]) + np.prod(second[2:4]) - common)

    first, second = (plain(np.random.default_rng(seed), 5000) for seed in (3, 4))
    expected = [by_opencv(*pair) for pair in zip(first, second, strict=True)]
    found = overlaps(first, second, aligned=True)
    differ = np.abs(found - expected) > 1e-5
    assert differ.mean() < 0.01
    exact = [exact_overlap(*pair)[0] for pair in zip(first[differ], second[differ], strict=True)]
    np.testing.assert_allclose(found[differ], exact, rtol=0, atol=2e-15)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("iou", [[0.3708, 0.4351, 0.0], [0.1104, 0.4487, 0.0424], [0.0, 0.0, 0.3622]]),
        ("iof", [[0.4959, 0.5306, 0.0], [0.1823, 0.5420, 0.1832], [0.0, 0.0, 0.4404]]),
    ],
)
def test_what_the_compiled_operator_gives(mode, expected):
    """The figures of mmcv's tests/test_ops/test_box_iou_rotated.py."""
    first = np.array([[1, 1, 3, 4, 0.5], [2, 2, 3, 4, 0.6], [7, 7, 8, 8, 0.4]])
    second = np.array([[0, 2, 2, 5, 0.3], [2, 1, 3, 3, 0.5], [5, 5, 6, 7, 0.4]])
    mirrored = [1, 1, 1, 1, -1]
    for ours, theirs, clockwise in (
        (first, second, True),
        (first * mirrored, second * mirrored, False),
    ):
        how = {"mode": mode, "clockwise": clockwise}
        found = by_mmcv(ours, theirs, **how).numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=6e-5)
        found = by_mmcv(ours, theirs, aligned=True, **how).numpy()
        np.testing.assert_allclose(found, np.diag(expected), rtol=0, atol=6e-5)


def test_all_pairs_are_those_one_by_one():
    random = np.random.default_rng(5)
    first, second = plain(random, 40), plain(random, 30)
    rows, columns = (part.ravel() for part in np.indices((40, 30)))
    expected = overlaps(first[rows], second[columns], aligned=True).reshape(40, 30)
    np.testing.assert_array_equal(overlaps(first, second), expected)


@pytest.mark.parametrize("pairs", [1, 7, 30, 64])
def test_blocks_do_not_show(monkeypatch, pairs):
    from mmdet2tflite.detector.rotated import overlap

    random = np.random.default_rng(6)
    first, second = plain(random, 40), plain(random, 30)
    expected = overlaps(first, second), overlaps(first[:30], second, aligned=True)
    monkeypatch.setattr(overlap, "PAIRS_AT_ONCE", pairs)
    np.testing.assert_array_equal(overlaps(first, second), expected[0])
    np.testing.assert_array_equal(overlaps(first[:30], second, aligned=True), expected[1])


def test_scores_behind_the_boxes_do_not_count():
    """As mmrotate's DOTAMetric leaves them there."""
    boxes = plain(np.random.default_rng(8), 9)
    scored = np.column_stack([boxes, np.linspace(0, 1, 9)])
    for aligned in (False, True):
        found = by_mmcv(scored, boxes, aligned=aligned)
        np.testing.assert_array_equal(found, by_mmcv(boxes, boxes, aligned=aligned))


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (0, 0)])
def test_no_boxes_have_no_overlaps(rows, columns):
    shape = by_mmcv(np.zeros((rows, 5)), np.zeros((columns, 5))).shape
    assert shape == (rows, columns)
