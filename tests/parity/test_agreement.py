"""How well detections agree: by hand, and as a loss of mAP."""

import numpy as np
import pytest

from mmdet2tflite.parity.agreement import agreement, estimated_loss
from mmdet2tflite.runtime.decode import Detections


def found(*boxes: tuple[float, float, float, float], score: float = 0.9, label: int = 0) -> dict:
    """One image's."""
    count = len(boxes)
    return {
        1: Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(count, score, np.float32),
            np.full(count, label, np.int64),
        )
    }


LEFT, RIGHT = (0, 0, 10, 10), (50, 50, 60, 60)


def test_the_same_detections_agree_wholly():
    assert agreement(found(LEFT, RIGHT), found(RIGHT, LEFT)) == 1


def test_nothing_and_nothing_agree():
    assert agreement(found(), found()) == 1
    assert agreement(found(LEFT), found()) == 0


@pytest.mark.parametrize("other", [found(RIGHT), found(LEFT, label=1)])
def test_another_place_or_class_is_no_agreement(other):
    assert agreement(found(LEFT), other) == 0


def test_one_of_two_that_is_lost_is_two_of_three():
    assert agreement(found(LEFT, RIGHT), found(LEFT)) == pytest.approx(2 / 3)


def test_an_overlap_counts_as_far_as_it_reaches():
    # 10 x 8 of 10 x 10 is an IoU of 0.8: enough for 0.50, 0.55 … 0.80, seven thresholds of ten.
    assert agreement(found(LEFT), found((0, 0, 10, 8))) == pytest.approx(0.7)


def test_those_that_overlap_most_are_paired_first():
    near, nearer = (0, 0, 10, 7), (0, 0, 10, 9)  # IoU 0.7 and 0.9
    assert agreement(found(LEFT), found(near, nearer)) == pytest.approx(0.9 * 2 / 3)


def test_detections_under_a_score_of_0_3_do_not_count():
    assert agreement(found(LEFT), {1: found(LEFT)[1]} | found(LEFT, score=0.29)) == 0
    assert agreement(found(LEFT, score=0.29), found(RIGHT, score=0.2)) == 1


def test_a_loss_grows_with_disagreement():
    assert estimated_loss(1) == 0
    assert estimated_loss(0) == 60
    # COCO's YOLOX-nano, files of known loss: docs/decisions/0016.
    for agreed, points in ((0.465, 13.6), (0.719, 3.7), (0.855, 0.5), (0.998, 0.0)):
        assert estimated_loss(agreed) == pytest.approx(points, abs=1)
