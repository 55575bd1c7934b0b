"""What mending a cause would gain, by hand and against faster-coco-eval."""

import pytest

from mmdet2tflite.evaluate.accuracy import accuracy
from mmdet2tflite.evaluate.causes import CAUSES, classify_detections
from mmdet2tflite.evaluate.gains import gains
from mmdet2tflite.evaluate.image_score import classify_all
from mmdet2tflite.evaluate.results import Evaluated
from tests.evaluate.scenes import CLASSES, NOTHING, A, B, boxes, random_scene, truth_of, wide

CAT, DOG = 0, 1
HALF = 51 / 101
"""One box of two: precision 1 at the recalls 0, 0.01 … 0.50."""


def gained(truth, found):
    classified = classify_detections(truth, NOTHING, found)
    return gains({1: truth}, {1: found}, {1: classified}, len(CLASSES))


@pytest.mark.parametrize("seed", range(5))
def test_without_errors_the_average_precision_is_one_and_the_gains_start_at_map_50(seed, tmp_path):
    annotations, found = random_scene(seed)
    truth = truth_of(annotations, tmp_path)
    classified = classify_all(truth, found)
    metrics, _ = accuracy(annotations, Evaluated(found, {}).coco_results(), list(found))
    wrong = gains(truth.boxes, found, classified, len(CLASSES))
    # With the boxes themselves as detections, every cause gains nothing and mAP50 is 1.
    perfect = gains(truth.boxes, truth.boxes, classify_all(truth, truth.boxes), len(CLASSES))
    assert perfect == dict.fromkeys(CAUSES, pytest.approx(0, abs=1e-12))
    # Taking the duplicates away is something that faster-coco-eval can do, too.
    fewer = {i: found[i][classified[i].causes != "duplicate"] for i in found}
    without, _ = accuracy(annotations, Evaluated(fewer, {}).coco_results(), list(found))
    gain = without["map_50"] - metrics["map_50"]
    assert wrong["duplicate"] == pytest.approx(gain, abs=1e-9)


def test_a_wrong_class_that_is_mended_finds_its_box():
    # The dog is AP 0; mended, both classes have AP 1, and the cat loses a false positive above it.
    found = gained(boxes((CAT, A), (DOG, B)), boxes((CAT, B, 0.95), (CAT, A, 0.9)))
    assert found["class"] == pytest.approx(1 - 0.5 / 2)
    assert found["missed"] == pytest.approx(0)


def test_a_wrong_place_that_is_mended_finds_its_box():
    found = gained(boxes((CAT, A), (CAT, B)), boxes((CAT, A, 0.9), (CAT, wide(B, 30), 0.8)))
    assert found["localisation"] == pytest.approx(1 - HALF)


def test_only_the_best_of_several_mended_detections_of_a_box_finds_it():
    truth = boxes((CAT, A), (CAT, B))
    found = boxes((CAT, wide(A, 30), 0.9), (CAT, wide(A, 25), 0.8))
    assert gained(truth, found)["localisation"] == pytest.approx(HALF)


def test_a_box_found_all_the_same_is_not_found_twice():
    truth = boxes((CAT, A), (CAT, B))
    found = boxes((CAT, wide(A, 30), 0.95), (CAT, A, 0.9))
    # Taken away, the wrong one leaves AP 51/101; with it, the precision was 1/2.
    assert gained(truth, found)["localisation"] == pytest.approx(HALF / 2)


def test_a_wrong_class_gains_nothing_where_a_better_detection_has_the_wrong_place():
    truth = boxes((CAT, A))
    found = gained(truth, boxes((CAT, wide(A, 30), 0.9), (DOG, A, 0.8)))
    assert found["localisation"] == pytest.approx(1)
    assert found["class"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("cause", "detection"),
    [
        ("both", (CAT, wide(B, 30), 0.95)),
        ("background", (CAT, (150, 150, 5, 5), 0.95)),
    ],
)
def test_what_should_not_be_there_is_taken_away(cause, detection):
    truth = boxes((CAT, A), (DOG, B))
    found = gained(truth, boxes(detection, (CAT, A, 0.9), (DOG, B, 0.9)))
    assert found.pop(cause) == pytest.approx(0.25)  # the cat's AP was 1/2
    assert list(found.values()) == [pytest.approx(0)] * 5


def test_missed_boxes_are_not_asked_for():
    found = gained(boxes((CAT, A), (CAT, B)), boxes((CAT, A)))
    assert found["missed"] == pytest.approx(1 - HALF)


def test_a_class_never_found_gains_all_when_its_boxes_are_not_asked_for():
    found = gained(boxes((CAT, A), (DOG, B)), boxes((CAT, A)))
    assert found["missed"] == pytest.approx(0.5)


def test_a_class_without_boxes_has_no_part_in_the_mean():
    # The owl detection is background: it harms no class that has boxes.
    found = gained(boxes((CAT, A)), boxes((CAT, A, 0.8), (2, B, 0.9)))
    assert found == dict.fromkeys(CAUSES, pytest.approx(0))


def test_without_boxes_there_is_nothing_to_gain():
    assert gained(NOTHING, boxes((CAT, A))) == {}


def test_detections_in_a_crowd_cost_nothing_and_gain_nothing():
    truth, found, crowd = boxes((CAT, A)), boxes((CAT, B, 0.95), (CAT, A, 0.9)), boxes((CAT, B))
    classified = classify_detections(truth, crowd, found)
    assert gains({1: truth}, {1: found}, {1: classified}, 3) == dict.fromkeys(
        CAUSES, pytest.approx(0)
    )


def test_boxes_of_several_images_are_told_apart():
    truth = {1: boxes((CAT, A), (CAT, B)), 2: boxes((CAT, A))}
    found = {1: boxes((CAT, A), (CAT, B)), 2: boxes((CAT, wide(A, 30), 0.5))}
    classified = {i: classify_detections(truth[i], NOTHING, found[i]) for i in truth}
    # Two of three boxes: precision 1 at the recalls 0 … 0.66
    assert gains(truth, found, classified, 3)["localisation"] == pytest.approx(1 - 67 / 101)
