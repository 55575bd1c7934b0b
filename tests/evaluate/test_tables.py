"""Average precision and recall per class and size, and the curves."""

import numpy as np
import pytest

from mmdet2tflite.evaluate.accuracy import accuracy, coco_tables
from mmdet2tflite.evaluate.results import Evaluated
from tests.evaluate.scenes import CLASSES, A, B, boxes, coco, random_scene

CAT, DOG = 0, 1
SMALL, MEDIUM, LARGE = (0, 0, 20, 20), (50, 0, 50, 50), (0, 60, 100, 100)


def tables(annotations, found):
    return coco_tables(annotations, Evaluated(found, {}).coco_results(), list(found))


@pytest.mark.parametrize("seed", range(3))
def test_classes_and_sizes_are_those_of_the_metrics(seed):
    annotations, found = random_scene(seed)
    metrics, classes = accuracy(annotations, Evaluated(found, {}).coco_results(), list(found))
    result = tables(annotations, found)
    values = [result["classes"][name] for name in CLASSES]
    assert [value["average_precision"] for value in values] == [classes[name] for name in CLASSES]
    mean = np.mean([value["average_precision_50"] for value in values])
    assert mean == pytest.approx(metrics["map_50"])
    for name, size in result["sizes"].items():
        assert size["average_precision"] == metrics[f"map_{name}"]


def test_recall_is_a_mean_over_ten_thresholds():
    # 100 wide, shifted by 24: IoU = 76 / 124 = 0.613, found at 0.50, 0.55 and 0.60
    annotations = coco({1: [(CAT, (0, 0, 100, 50)), (CAT, (0, 100, 100, 50))]})
    found = {1: boxes((CAT, (24, 0, 100, 50)))}
    cat = tables(annotations, found)["classes"]["cat"]
    assert cat["average_recall"] == pytest.approx(0.3 / 2)
    assert cat["average_precision_50"] == pytest.approx(51 / 101)


def test_what_has_no_boxes_has_no_numbers_and_no_curve():
    annotations = coco({1: [(CAT, SMALL), (CAT, LARGE)]})
    result = tables(annotations, {1: boxes((CAT, SMALL), (DOG, B))})
    assert set(result["classes"]["dog"].values()) == {None}
    assert set(result["sizes"]["medium"].values()) == {None}
    assert result["sizes"]["small"]["average_recall"] == pytest.approx(1)
    assert result["sizes"]["large"]["average_recall"] == 0
    assert list(result["curves"]) == ["cat"]


def test_a_class_that_is_never_found_has_zeros_and_an_empty_curve():
    result = tables(coco({1: [(CAT, A), (DOG, MEDIUM)]}), {1: boxes((CAT, A))})
    assert set(result["classes"]["dog"].values()) == {0}
    assert result["curves"]["dog"] == {"recall": [], "precision": [], "score": []}


def test_a_curve_ends_where_no_detection_reaches():
    annotations = coco({1: [(CAT, A), (CAT, B)]})
    found = {1: boxes((CAT, (100, 100, 9, 9), 0.8), (CAT, A, 0.5), (CAT, A, 0.4))}
    curve = tables(annotations, found)["curves"]["cat"]
    assert curve["recall"] == [round(number / 100, 2) for number in range(51)]
    assert set(curve["precision"]) == {0.5}
    assert curve["score"] == [0.8, *[0.5] * 50]
