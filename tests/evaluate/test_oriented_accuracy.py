"""Average precision of oriented boxes: against pycocotools with shapely's IoU, and by hand."""

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from shapely import Polygon

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.accuracy import METRICS, accuracy, coco_tables
from mmdet2tflite.evaluate.bootstrap import match, mean_average_precision, paired_bootstrap
from tests.evaluate.oriented_scenes import (
    ACROSS,
    DIAGONAL,
    oriented_coco,
    quarter_turn,
    random_oriented_scene,
    results_of,
    turned,
)
from tests.evaluate.scenes import CLASSES, coco

CAT, DOG = 0, 1


class ByShapely(COCOeval):
    """pycocotools' evaluation, in which shapely says how much two polygons share."""

    def computeIoU(self, imgId, catId):
        truth, found = self._gts[imgId, catId], self._dts[imgId, catId]
        if not truth or not found:
            return []
        found = sorted(found, key=lambda entry: -entry["score"])[: self.params.maxDets[-1]]
        rows = []
        for d in map(polygon, found):
            shared = [d.intersection(polygon(g)).area for g in truth]
            whole = [d.area if g["iscrowd"] else d.union(polygon(g)).area for g in truth]
            rows.append(np.array(shared) / whole)
        return np.array(rows)


def polygon(entry):
    return Polygon(np.reshape(entry["segmentation"], (4, 2)))


def by_shapely(annotations, results, image_ids):
    """All of the summary: six average precisions, six recalls."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = annotations
        truth.createIndex()
        found = truth.loadRes([dict(result) for result in results])
        for entry in found.dataset["annotations"]:
            entry["area"] = polygon(entry).area
        evaluation = ByShapely(truth, found, "bbox")
        evaluation.params.imgIds = image_ids
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(6))
def test_the_numbers_are_those_of_pycocotools_with_the_iou_of_shapely(seed):
    annotations, found = random_oriented_scene(seed, images=20)
    assert sum(entry["iscrowd"] for entry in annotations["annotations"]) == 10
    results = results_of(found)
    for images in (list(found), list(found)[3:11]):
        expected = by_shapely(annotations, results, images)
        metrics, classes = accuracy(annotations, results, images)
        assert 0.05 < metrics["map"] < 0.9
        numbers = [metrics.get(name, -1) for name in METRICS]  # -1: no such boxes
        assert numbers == pytest.approx(expected.stats[:6].tolist())
        precision = expected.eval["precision"][..., 0, -1]
        by_class = precision.mean(axis=(0, 1))
        assert list(classes.values()) == pytest.approx(by_class.tolist())
        tables = coco_tables(annotations, results, images)
        recall = expected.eval["recall"][..., 0, -1].mean(axis=0)
        own = [tables["classes"][name]["average_recall"] for name in CLASSES]
        assert own == pytest.approx(recall.tolist())


@pytest.mark.parametrize("seed", range(3))
def test_the_bootstrap_compares_the_same_boxes(seed):
    annotations, found = random_oriented_scene(seed)
    results = results_of(found)
    drawn = np.ones(len(found), int)
    value = mean_average_precision(match(annotations, results, list(found)), drawn)
    assert value == pytest.approx(accuracy(annotations, results, list(found))[0]["map"], abs=1e-9)


def test_a_draw_compares_two_models_by_oriented_boxes():
    annotations = oriented_coco({1: [(CAT, DIAGONAL)]})
    right, wrong = (results_of({1: turned((CAT, box))}) for box in (DIAGONAL, ACROSS))
    found = paired_bootstrap(annotations, right, wrong, [1], resamples=3, seed=0)
    assert (found.first, found.second) == (pytest.approx(1), 0)


@pytest.mark.parametrize("seed", range(3))
def test_without_a_turn_the_numbers_are_those_of_upright_boxes(seed):
    annotations, found = random_oriented_scene(seed, angle=0)
    upright = {image_id: replace(each, oriented=None) for image_id, each in found.items()}
    images = list(found)
    expected = accuracy(annotations, results_of(upright), images)
    metrics, classes = accuracy(annotations, results_of(found), images)
    assert 0.05 < metrics["map"] < 0.9
    assert metrics == pytest.approx(expected[0])
    assert classes == pytest.approx(expected[1])
    tables = [coco_tables(annotations, results_of(each), images) for each in (found, upright)]
    for name in CLASSES:
        assert tables[0]["classes"][name] == pytest.approx(tables[1]["classes"][name])
    for name, size in tables[0]["sizes"].items():
        assert size == pytest.approx(tables[1]["sizes"][name])
    assert tables[0]["curves"] == tables[1]["curves"]


def test_a_box_is_found_however_its_sides_are_named():
    annotations = oriented_coco({1: [(CAT, DIAGONAL)]})
    other_way_round = quarter_turn(DIAGONAL)
    for box in (DIAGONAL, other_way_round, quarter_turn(other_way_round)):
        assert accuracy(annotations, results_of({1: turned((CAT, box))}), [1])[0]["map"] == (
            pytest.approx(1)
        )


def test_a_box_with_the_same_upright_box_around_it_is_not_the_same():
    annotations = oriented_coco({1: [(CAT, DIAGONAL)]})
    found = turned((CAT, ACROSS))
    assert accuracy(annotations, results_of({1: found}), [1])[0]["map_50"] == 0
    upright = replace(found, oriented=None)
    assert accuracy(annotations, results_of({1: upright}), [1])[0]["map"] == pytest.approx(1)


def test_a_box_moved_along_itself_passes_the_thresholds_below_its_iou():
    # 100 long, moved by 24 in its own direction: IoU = 76 / 124 = 0.613, 3 of 10 thresholds
    step = 24 / 2**0.5
    moved = (DIAGONAL[0] + step, DIAGONAL[1] + step, *DIAGONAL[2:])
    annotations = oriented_coco({1: [(CAT, DIAGONAL)]})
    metrics, _ = accuracy(annotations, results_of({1: turned((CAT, moved))}), [1])
    assert metrics["map"] == pytest.approx(0.3)


def test_a_detection_has_the_size_of_its_own_box():
    # 900 square pixels; the upright box around it has 26,000 and would be a large one.
    stray = turned((CAT, (100, 100, 225, 4, 45), 0.95))
    annotations = oriented_coco({1: [(CAT, (300, 300, 20, 20, 30))]})
    right = turned((CAT, (300, 300, 20, 20, 30), 0.9))
    both = [*results_of({1: stray}), *results_of({1: right})]
    # A wrong small detection before the right one: precision 1/2 at every recall.
    assert accuracy(annotations, both, [1])[0]["map_small"] == pytest.approx(0.5)


@pytest.mark.parametrize(("shift", "expected"), [(40, 1), (60, 0.5)])
def test_a_detection_of_which_half_lies_in_a_crowd_is_not_counted(shift, expected):
    """The crowd's IoU is the share of the detection: 0.6 or 0.4 of 100 by 20 pixels."""
    step = shift / 2**0.5
    beside = (DIAGONAL[0] + step, DIAGONAL[1] + step, *DIAGONAL[2:])
    annotations = oriented_coco({1: [(CAT, (300, 300, 40, 20, 30))]}, crowds=[(1, CAT, DIAGONAL)])
    found = turned((CAT, beside, 0.95), (CAT, (300, 300, 40, 20, 30), 0.9))
    metrics, _ = accuracy(annotations, results_of({1: found}), [1])
    assert metrics["map_50"] == pytest.approx(expected)


def test_nothing_found_has_a_precision_of_zero():
    annotations = oriented_coco({1: [(CAT, DIAGONAL)]})
    assert accuracy(annotations, [], [1])[0] == {
        "map": 0,
        "map_50": 0,
        "map_75": 0,
        "map_medium": 0,
    }


@pytest.mark.parametrize(
    "outline", [None, [[0, 0, 9, 0, 9, 9]], [[0, 0, 9, 0, 9, 9, 0, 9]] * 2, {"counts": "x"}]
)
def test_oriented_detections_are_not_held_against_annotations_without_four_corners(outline):
    annotations = coco({1: [(CAT, (0, 0, 10, 10))]})
    if outline:
        annotations["annotations"][0]["segmentation"] = outline
    results = results_of({1: turned((CAT, DIAGONAL))})
    with pytest.raises(DataError, match="annotation 1 of image 1 is no oriented box"):
        accuracy(annotations, results, [1])


def test_only_the_best_hundred_of_a_class_count():
    annotations = oriented_coco({1: [(CAT, DIAGONAL)]})
    stray = [(CAT, (300, 300, 9, 9, 9), 0.5 + i / 1000) for i in range(100)]
    found = turned((CAT, DIAGONAL, 0.4), *stray)
    assert accuracy(annotations, results_of({1: found}), [1])[0]["map"] == 0
    fewer = turned((CAT, DIAGONAL, 0.4), *stray[1:])
    assert accuracy(annotations, results_of({1: fewer}), [1])[0]["map"] == pytest.approx(0.01)
