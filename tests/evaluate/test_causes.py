"""Why a detection is wrong: TIDE's definitions, at and beside their thresholds."""

import pytest

from mmdet2tflite.evaluate.causes import CAUSES, MISSED, classify_detections
from tests.evaluate.scenes import NOTHING, A, B, boxes, wide

CAT, DOG = 0, 1


def causes(truth, found, crowds=NOTHING):
    return classify_detections(truth, crowds, found).causes.tolist()


@pytest.mark.parametrize(
    ("label", "width", "expected"),
    [  # 10 wide is the box; the IoU is 10 / width
        (CAT, 10, "right"),
        (CAT, 20, "right"),
        (CAT, 20.5, "localisation"),
        (CAT, 99, "localisation"),
        (CAT, 101, "background"),
        (DOG, 10, "class"),
        (DOG, 20, "class"),
        (DOG, 20.5, "both"),
        (DOG, 99, "both"),
        (DOG, 101, "background"),
    ],
)
def test_a_detection_is_judged_by_its_class_and_its_overlap(label, width, expected):
    assert causes(boxes((CAT, A)), boxes((label, wide(A, width)))) == [expected]


def test_of_two_detections_of_a_box_the_one_of_higher_score_is_right():
    found = boxes((CAT, A, 0.4), (CAT, wide(A, 15), 0.8))
    assert causes(boxes((CAT, A)), found) == ["duplicate", "right"]


def test_a_detection_takes_the_free_box_that_it_overlaps_most():
    truth = boxes((CAT, A), (CAT, (2, 0, 10, 10)))
    classified = classify_detections(
        truth, NOTHING, boxes((CAT, (2, 0, 10, 10), 0.9), (CAT, A, 0.8))
    )
    assert classified.causes.tolist() == ["right", "right"]
    assert classified.targets.tolist() == [1, 0]


def test_a_badly_placed_detection_between_two_classes_is_one_of_place():
    truth = boxes((CAT, wide(A, 4)), (DOG, A))
    assert causes(truth, boxes((CAT, A))) == ["localisation"]  # 0.4 of the cat, 1 of the dog


def test_a_detection_of_the_wrong_class_beside_a_taken_box_of_its_own_is_one_of_class():
    truth = boxes((CAT, A), (DOG, A))
    found = boxes((CAT, A, 0.9), (CAT, wide(A, 12), 0.5))
    assert causes(truth, found) == ["right", "class"]


def test_every_cause_names_the_box_that_it_is_about():
    truth = boxes((2, (100, 100, 10, 10)), (DOG, B), (CAT, A))
    found = boxes(
        (CAT, A, 0.9),
        (CAT, wide(A, 12), 0.8),
        (CAT, wide(A, 30), 0.7),
        (CAT, B, 0.6),
        (CAT, wide(B, 25), 0.5),
        (CAT, (150, 150, 5, 5), 0.4),
    )
    classified = classify_detections(truth, NOTHING, found)
    kinds = ["right", "duplicate", "localisation", "class", "both", "background"]
    assert classified.causes.tolist() == kinds
    assert classified.targets.tolist() == [2, 2, 2, 1, -1, -1]
    assert [classified.count(kind) for kind in kinds] == [1] * 6


@pytest.mark.parametrize(
    ("detection", "missed"),
    [
        ((CAT, A), []),
        ((DOG, A), []),
        ((CAT, wide(A, 30)), []),
        ((DOG, wide(A, 30)), [0]),
        ((CAT, B), [0]),
    ],
    ids=["found", "class", "localisation", "both", "background"],
)
def test_a_box_is_missed_if_no_detection_would_find_it_by_its_class_or_its_place(detection, missed):
    classified = classify_detections(boxes((CAT, A)), NOTHING, boxes(detection))
    assert classified.missed() == missed
    assert classified.count(MISSED) == len(missed)


def test_without_its_detection_a_box_is_missed():
    truth, found = boxes((CAT, A), (CAT, B)), boxes((CAT, A, 0.2), (CAT, B, 0.8))
    classified = classify_detections(truth, NOTHING, found)
    assert classified.missed() == []
    assert classified[found.scores >= 0.3].missed() == [0]


def test_an_image_without_boxes_has_background_only():
    assert causes(NOTHING, boxes((CAT, A), (DOG, B))) == ["background", "background"]


def test_in_an_image_without_detections_all_boxes_are_missed():
    classified = classify_detections(boxes((CAT, A), (DOG, B)), NOTHING, NOTHING)
    assert classified.missed() == [0, 1]
    assert sum(classified.count(cause) for cause in CAUSES) == 2


def test_where_nothing_is_and_nothing_was_found_nothing_is_wrong():
    classified = classify_detections(NOTHING, NOTHING, NOTHING)
    assert [classified.count(cause) for cause in CAUSES] == [0] * 6


@pytest.mark.parametrize(
    ("width", "expected"), [(10, "ignored"), (20, "ignored"), (21, "background")]
)
def test_a_detection_of_which_half_lies_in_a_crowd_of_its_class_is_ignored(width, expected):
    crowd = boxes((CAT, A))
    assert causes(NOTHING, boxes((CAT, wide(A, width))), crowd) == [expected]


def test_a_crowd_of_another_class_excuses_nothing():
    assert causes(NOTHING, boxes((DOG, A)), boxes((CAT, A))) == ["background"]


def test_a_box_in_a_crowd_can_be_found():
    assert causes(boxes((CAT, A)), boxes((CAT, A)), boxes((CAT, wide(A, 90)))) == ["right"]
