"""Per-image scores by arithmetic, and which images are chosen."""

import pytest

from mmdet2tflite.evaluate.causes import classify_detections
from mmdet2tflite.evaluate.image_score import choose, score_all, score_image
from tests.evaluate.scenes import NOTHING, A, B, boxes, coco, truth_of, wide

C = (80, 0, 10, 10)
CAT, DOG = 0, 1


def score(truth, found, crowds=NOTHING):
    return score_image(truth, found, classify_detections(truth, crowds, found))


def cats(*places):
    return boxes(*((CAT, place) for place in places))


def test_f1_is_that_of_right_wrong_and_not_found():
    numbers = score(cats(A, B), cats(A, C, C)).numbers()
    # 1 right, 2 wrong, 1 not found: 2 / (2 + 2 + 1)
    assert numbers == {"f1": pytest.approx(0.4), "right": 1, "wrong": 2, "not_found": 1}


def test_detections_below_the_shown_score_do_not_count():
    assert score(cats(A), boxes((CAT, A, 0.3), (CAT, B, 0.29))).f1 == 1
    assert score(cats(A), boxes((CAT, A, 0.29))).judgement.missed() == [0]


def test_detections_in_a_crowd_do_not_count():
    found = score(cats(A), cats(A, B), crowds=cats(B))
    assert found.f1 == 1
    assert len(found.found) == 1


@pytest.mark.parametrize(("width", "right"), [(20, 1), (21, 0)])
def test_a_detection_is_right_from_an_iou_of_one_half_on(width, right):
    assert score(cats(A), cats(wide(A, width))).numbers()["right"] == right


def test_nothing_found_where_nothing_is_is_right():
    assert score(NOTHING, NOTHING).f1 == 1
    assert score(NOTHING, cats(A)).f1 == 0


def test_the_best_the_worst_and_the_most_changed_image_are_chosen():
    reference = {i: score(cats(A, B), cats(A, B)) for i in (1, 2, 3)}
    scores = {
        1: score(cats(A, B), cats(A)),
        2: score(cats(A, B), cats(C)),
        3: score(cats(A, B), cats(A, B)),
    }
    assert choose(reference, scores) == {"best": 3, "worst": 2, "changed": 2}
    assert choose(scores, scores) == {"best": 3, "worst": 2}


def test_the_image_with_most_wrong_classes_is_the_most_confused():
    scores = {
        1: score(cats(A), NOTHING),
        2: score(cats(A, B), boxes((CAT, A), (CAT, B), (DOG, A), (DOG, B))),
        3: score(cats(A, B), boxes((CAT, A), (DOG, B))),
    }
    assert choose(scores, scores) == {"best": 2, "worst": 1, "confused": 2}


def test_of_equal_images_the_one_with_more_boxes_is_chosen():
    scores = {
        1: score(cats(A), boxes((CAT, A), (DOG, A))),
        2: score(cats(A, B), boxes((CAT, A), (CAT, B), (DOG, A), (DOG, B))),
        3: score(cats(A, B, C), boxes((CAT, A), (CAT, B), (CAT, C), (DOG, A), (DOG, B), (DOG, C))),
    }
    assert len({score.f1 for score in scores.values()}) == 1
    assert choose(scores, scores) == {"best": 3, "worst": 3, "confused": 3}


def test_crowds_are_no_boxes_and_an_image_without_annotations_has_none(tmp_path):
    truth = truth_of(coco({1: [(CAT, A)], 2: []}, crowds=[(1, DOG, B)]), tmp_path)
    assert {image_id: len(found) for image_id, found in truth.boxes.items()} == {1: 1, 2: 0}
    assert truth.boxes[1].boxes.tolist() == [[0, 0, 10, 10]]
    assert truth.crowds[1].boxes.tolist() == [[40, 0, 50, 10]]
    assert truth.crowds[1].labels.tolist() == [DOG]
    assert truth.files[2] == tmp_path / "2.png"
    assert score_all(truth, {1: boxes((CAT, A), (DOG, B))})[1].f1 == 1
