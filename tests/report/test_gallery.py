"""Per-image scores by arithmetic, and which images are chosen."""

import json

import pytest

from mmdet2tflite.report.gallery import Truth, choose, score_image
from tests.report.conftest import detections

A, B, C = [0, 0, 10, 10], [20, 0, 10, 10], [40, 0, 10, 10]


def test_f1_is_that_of_right_wrong_and_missed():
    score = score_image(detections(A, B), detections(A, C, C))
    # 1 right, 2 wrong, 1 missed: 2 / (2 + 2 + 1)
    assert score.numbers() == {"f1": pytest.approx(0.4), "right": 1, "wrong": 2, "missed": 1}


def test_one_box_makes_one_detection_right_the_one_of_higher_score():
    score = score_image(detections(A), detections(A, A, scores=[0.4, 0.8]))
    assert dict(score.pairs) == {1: 0}


def test_detections_below_the_shown_score_do_not_count():
    score = score_image(detections(A), detections(A, B, scores=[0.3, 0.29]))
    assert score.f1 == 1


@pytest.mark.parametrize(("width", "right"), [(20, 1), (21, 0)])
def test_a_detection_is_right_from_an_iou_of_one_half_on(width, right):
    score = score_image(detections(A), detections([0, 0, width, 10]))
    assert len(score.pairs) == right


def test_nothing_found_where_nothing_is_is_right():
    assert score_image(detections(), detections()).f1 == 1
    assert score_image(detections(), detections(A)).f1 == 0


def test_the_best_the_worst_and_the_most_changed_image_are_chosen():
    reference = {i: score_image(detections(A, B), detections(A, B)) for i in (1, 2, 3)}
    scores = {
        1: score_image(detections(A, B), detections(A)),
        2: score_image(detections(A, B), detections(C)),
        3: score_image(detections(A, B), detections(A, B)),
    }
    assert choose(reference, scores) == {"best": 3, "worst": 2, "changed": 2}
    assert choose(scores, scores) == {"best": 3, "worst": 2}


def test_of_equal_images_the_one_with_more_boxes_is_chosen():
    scores = {
        1: score_image(detections(A), detections(A)),
        2: score_image(detections(A, B), detections(A, B)),
    }
    assert choose(scores, scores) == {"best": 2, "worst": 2}


def test_crowds_are_no_boxes_and_an_image_without_annotations_has_none(tmp_path):
    box = {"image_id": 1, "category_id": 0, "bbox": A}
    annotations = [box, {**box, "iscrowd": 1}]
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    file = tmp_path / "val.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    truth = Truth.load(file, tmp_path)
    assert {image_id: len(boxes) for image_id, boxes in truth.boxes.items()} == {1: 1, 2: 0}
