"""What boxes of two sets of detections share, upright or oriented."""

import numpy as np
import pytest

from mmdet2tflite.parity.overlap import areas, pairwise_intersection, pairwise_iou
from mmdet2tflite.parity.parity import compare_detections
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import upright

EIGHTH = np.pi / 4


def upright_boxes(*boxes):
    """x1, y1, x2, y2."""
    table = np.array(boxes, np.float32).reshape(-1, 4)
    return Detections(table, np.full(len(table), 0.9, np.float32), np.zeros(len(table), int))


def oriented_boxes(*boxes):
    """x, y, width, height, radians."""
    table = np.array(boxes, np.float32).reshape(-1, 5)
    rest = np.full(len(table), 0.9, np.float32), np.zeros(len(table), int)
    return Detections(upright(table), *rest, oriented=table)


def test_upright_boxes_share_the_product_of_their_sides():
    one, others = upright_boxes((0, 0, 4, 2)), upright_boxes((2, 0, 6, 2), (4, 0, 8, 2))
    assert pairwise_intersection(one, others).tolist() == [[4, 0]]
    assert pairwise_iou(one, others).tolist() == [[4 / 12, 0]]
    assert areas(others).tolist() == [8, 8]


def test_oriented_boxes_share_what_lies_in_both_and_not_what_their_upright_boxes_share():
    one = oriented_boxes((50, 50, 40, 10, EIGHTH))
    others = oriented_boxes((50, 50, 40, 10, -EIGHTH), (50, 50, 10, 40, -EIGHTH))
    np.testing.assert_allclose(pairwise_intersection(one, others), [[100, 400]], rtol=1e-6)
    np.testing.assert_allclose(pairwise_iou(one, others), [[100 / 700, 1]], rtol=1e-6)
    np.testing.assert_allclose(areas(others), [400, 400])
    np.testing.assert_allclose(others.boxes[0], one.boxes[0], rtol=1e-6)


def test_without_a_turn_oriented_boxes_share_what_upright_ones_do():
    rng = np.random.default_rng(0)
    centres, sides = rng.integers(0, 30, (2, 20, 2)), rng.integers(2, 20, (2, 20, 2))
    straight, turned = [], []
    for centre, side in zip(centres, sides, strict=True):
        straight.append(upright_boxes(*np.hstack([centre - side / 2, centre + side / 2])))
        turned.append(oriented_boxes(*np.hstack([centre, side, np.zeros((20, 1))])))
    for function in (pairwise_iou, pairwise_intersection):
        expected = function(*straight)
        assert np.count_nonzero(expected) > 50
        np.testing.assert_allclose(function(*turned), expected, atol=1e-9)
    assert areas(turned[0]).tolist() == areas(straight[0]).tolist()


@pytest.mark.parametrize(
    ("boxes", "point"),
    [(upright_boxes, (1, 1, 1, 1)), (oriented_boxes, (1, 1, 0, 0, 0.5))],
    ids=["upright", "oriented"],
)
def test_iou_of_boxes_without_area_is_zero(boxes, point):
    around = (0, 0, 2, 2, 0)[: len(point)]
    assert pairwise_iou(boxes(point), boxes(point, around)).tolist() == [[0, 0]]


@pytest.mark.parametrize("boxes", [upright_boxes, oriented_boxes])
def test_no_boxes_give_no_numbers(boxes):
    some = boxes((0, 0, 2, 2, 0)[: 4 if boxes is upright_boxes else 5])
    assert pairwise_iou(boxes(), some).shape == (0, 1)
    assert pairwise_iou(some, boxes()).shape == (1, 0)


def test_oriented_boxes_are_not_compared_with_upright_ones():
    one, other = upright_boxes((0, 0, 2, 2)), oriented_boxes((1, 1, 2, 2, 0))
    for pair in ((one, other), (other, one)):
        with pytest.raises(ValueError, match="cannot be compared"):
            pairwise_iou(*pair)


def test_detections_of_two_models_are_matched_by_their_oriented_boxes():
    # 40 long, moved by 8 along itself: 32 / 48. Turned across, it is another box.
    step = 8 / 2**0.5
    reference = oriented_boxes((50, 50, 40, 10, EIGHTH), (150, 50, 40, 10, EIGHTH))
    candidate = oriented_boxes((50 + step, 50 + step, 40, 10, EIGHTH), (150, 50, 40, 10, -EIGHTH))
    error = compare_detections({1: reference}, {1: candidate})
    assert (error.pairs, error.lost, error.new) == (1, 1, 1)
    assert error.iou_mean == pytest.approx(2 / 3, rel=1e-5)
