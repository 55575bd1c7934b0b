import contextlib
import io

import numpy as np
import pytest

from mmdet2tflite.evaluate.accuracy import accuracy, average_precision

CLASSES = ("cat", "dog")


def truth(*boxes, images=(1,)):
    """A COCO json; boxes are (image, class, x, y, width, height)."""
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 400, "height": 400} for i in images],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES)],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": category,
                "bbox": [x, y, w, h],
                "area": w * h,
                "iscrowd": 0,
            }
            for number, (image, category, x, y, w, h) in enumerate(boxes, start=1)
        ],
    }


def results(*boxes, score=0.9):
    return [
        {"image_id": image, "category_id": category, "bbox": list(box), "score": score}
        for image, category, *box in boxes
    ]


SMALL, MEDIUM, LARGE = (1, 0, 0, 0, 20, 20), (1, 0, 50, 0, 50, 50), (1, 1, 200, 200, 100, 100)


def test_perfect_detections_have_a_precision_of_one():
    metrics, classes = accuracy(
        truth(SMALL, MEDIUM, LARGE), results(SMALL, MEDIUM, LARGE), image_ids=[1]
    )
    names = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large")
    assert metrics == dict.fromkeys(names, pytest.approx(1.0))
    assert classes == {"cat": pytest.approx(1.0), "dog": pytest.approx(1.0)}


def test_no_detections_have_a_precision_of_zero():
    metrics, classes = accuracy(truth(SMALL), [], image_ids=[1])
    assert metrics == {"map": 0, "map_50": 0, "map_75": 0, "map_small": 0}
    assert classes == {"cat": 0}


def test_what_there_are_no_boxes_of_is_left_out():
    metrics, classes = accuracy(truth(MEDIUM), results(MEDIUM), image_ids=[1])
    assert "map_medium" in metrics
    assert not {"map_small", "map_large"} & metrics.keys()
    assert list(classes) == ["cat"]


def test_a_shifted_box_passes_the_thresholds_below_its_iou():
    # 100 wide, shifted by 24: IoU = 76 / 124 = 0.613, above 0.50, 0.55 and 0.60: 3 of 10
    metrics, _ = accuracy(
        truth((1, 0, 0, 0, 100, 50)), results((1, 0, 24, 0, 100, 50)), image_ids=[1]
    )
    assert metrics["map"] == pytest.approx(0.3)
    assert (metrics["map_50"], metrics["map_75"]) == (pytest.approx(1.0), 0)


def test_one_box_of_two_gives_the_recall_points_up_to_a_half():
    other = (1, 0, 300, 300, 50, 50)
    metrics, _ = accuracy(truth(MEDIUM, other), results(MEDIUM), image_ids=[1])
    # precision 1 at the recalls 0, 0.01 … 0.50: 51 of 101
    assert metrics["map"] == pytest.approx(51 / 101)


def test_only_the_evaluated_images_count():
    elsewhere = (2, 0, 0, 0, 50, 50)
    annotations = truth(MEDIUM, elsewhere, images=(1, 2))
    assert accuracy(annotations, results(MEDIUM), image_ids=[1])[0]["map"] == pytest.approx(1.0)
    assert accuracy(annotations, results(MEDIUM), image_ids=[1, 2])[0]["map"] < 0.6


def test_the_results_given_are_not_changed_and_nothing_is_printed(capfd):
    found = results(MEDIUM)
    accuracy(truth(MEDIUM), found, image_ids=[1])
    assert found == results(MEDIUM)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("right", "boxes_there", "expected"),
    [
        ([True], 1, 1),
        ([True], 2, 51 / 101),
        ([False, True], 1, 0.5),
        ([True, False, True], 2, (51 + 50 * 2 / 3) / 101),
        ([False], 1, 0),
        ([], 1, 0),
    ],
)
def test_average_precision_is_the_mean_of_the_best_precision_from_each_recall_on(
    right, boxes_there, expected
):
    row = np.array([right], bool)
    assert average_precision(row, np.ones(row.shape), boxes_there) == pytest.approx(expected)


def test_a_detection_of_weight_two_counts_as_two_and_one_of_weight_zero_not_at_all():
    right, weights = np.array([[False, True, False, True]]), np.array([[0, 2, 1, 1]])
    twice = np.array([[True, True, False, True]])
    expected = average_precision(twice, np.ones((1, 4)), 3)
    assert average_precision(right, weights, 3) == expected == pytest.approx((67 + 34 * 0.75) / 101)


def test_the_numbers_are_those_of_pycocotools():
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(0)
    images = range(1, 9)
    boxes = [
        (int(rng.choice(images)), int(rng.integers(2)), *rng.uniform(0, 200, 2), *sides)
        for sides in rng.uniform(5, 150, (60, 2))
    ]
    moved = [
        (i, c, *(np.array(box) + rng.normal(0, 6, 4)).clip(1).tolist()) for i, c, *box in boxes
    ]
    found = [
        {**entry, "score": float(rng.uniform())}
        for entry in results(*moved, *moved[:20], *boxes[:9])
    ]
    annotations = truth(*boxes, images=images)

    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = annotations
        reference.createIndex()
        evaluation = COCOeval(reference, reference.loadRes([dict(e) for e in found]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    metrics, _ = accuracy(annotations, found, list(images))

    names = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large")
    assert 0.1 < metrics["map"] < 0.9
    assert [metrics[name] for name in names] == pytest.approx(evaluation.stats[:6].tolist())
