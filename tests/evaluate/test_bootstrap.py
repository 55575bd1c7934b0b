"""The difference of two mAPs when the images are drawn again."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.accuracy import accuracy
from mmdet2tflite.evaluate.bootstrap import (
    PairedBootstrap,
    match,
    mean_average_precision,
    paired_bootstrap,
)

IMAGES = (7, 3, 5, 9)
"""Not in order, and with gaps."""
CLASSES = ("cat", "dog", "never there")


def truth(seed=0, crowds=True):
    """Two to four boxes an image; one of them a crowd."""
    random = np.random.default_rng(seed)
    annotations = []
    for image in IMAGES:
        for number in range(random.integers(2, 5)):
            x, y, w, h = (float(v) for v in random.integers([0, 0, 20, 20], [80, 80, 90, 90]))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(random.integers(2)),
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": int(crowds and image == 5 and number == 0),
                }
            )
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 200, "height": 200} for i in IMAGES],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES)],
        "annotations": annotations,
    }


def detections(annotations, seed, shift):
    """Every box, moved by up to ``shift`` pixels, and as many where nothing is."""
    random = np.random.default_rng(seed)
    found = []
    for box in annotations["annotations"]:
        near = np.array(box["bbox"]) + random.uniform(-shift, shift, 4)
        far = [*random.uniform(0, 150, 2), 30, 30]
        for bbox, top in ((near, 1.0), (far, 0.9)):
            found.append(
                {
                    "image_id": box["image_id"],
                    "category_id": box["category_id"],
                    "bbox": [float(v) for v in bbox],
                    "score": float(random.uniform(0, top)),
                }
            )
    return found


def repeated(annotations, results, drawn):
    """A data set in which each image is there as often as it was drawn."""
    images, boxes, found = [], [], []
    for image, times in zip(sorted(IMAGES), drawn, strict=True):
        for _ in range(times):
            number = len(images) + 1
            images.append({"id": number, "file_name": "any", "width": 200, "height": 200})
            for box in annotations["annotations"]:
                if box["image_id"] == image:
                    boxes.append({**box, "id": len(boxes) + 1, "image_id": number})
            found += [{**r, "image_id": number} for r in results if r["image_id"] == image]
    return {**annotations, "images": images, "annotations": boxes}, found


def reference(annotations, results):
    """pycocotools' own mAP of all images."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = annotations
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes([dict(result) for result in results]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return precision[precision > -1].mean()


@pytest.mark.parametrize("drawn", [(1, 1, 1, 1), (2, 0, 1, 3), (0, 4, 0, 0), (1, 0, 0, 1)])
def test_a_draw_has_the_map_of_a_data_set_with_its_images_repeated(drawn):
    for seed in range(5):
        annotations = truth(seed)
        results = detections(annotations, seed, shift=5)
        found = mean_average_precision(match(annotations, results, IMAGES), np.array(drawn))
        expected = reference(*repeated(annotations, results, drawn))
        assert 0.05 < expected < 1
        assert found == pytest.approx(expected, abs=1e-9)


def test_each_image_once_has_the_map_of_the_report():
    annotations = truth()
    one, other = (detections(annotations, seed, shift=9) for seed in (1, 2))
    found = paired_bootstrap(annotations, one, other, IMAGES, resamples=5, seed=0)
    expected = [accuracy(annotations, results, IMAGES)[0]["map"] for results in (one, other)]
    assert [found.first, found.second] == pytest.approx(expected, abs=1e-9)
    assert found.difference == pytest.approx(expected[1] - expected[0], abs=1e-9)


def test_only_the_images_that_were_evaluated_count():
    annotations = truth()
    results = detections(annotations, 1, shift=9)
    some = (3, 9)
    kept = [result for result in results if result["image_id"] in some]
    found = paired_bootstrap(annotations, kept, kept, some, resamples=5, seed=0)
    assert found.first == pytest.approx(accuracy(annotations, kept, some)[0]["map"], abs=1e-9)


def test_a_model_does_not_differ_from_itself_in_any_draw():
    annotations = truth()
    results = detections(annotations, 1, shift=9)
    found = paired_bootstrap(annotations, results, results, IMAGES, resamples=50, seed=0)
    assert not found.differences.any()
    assert found.lower_bound(0.95) == 0


def test_the_same_seed_draws_the_same_and_another_one_does_not():
    annotations = truth()
    one, other = (detections(annotations, seed, shift=9) for seed in (1, 2))

    def draw(seed):
        return paired_bootstrap(annotations, one, other, IMAGES, resamples=40, seed=seed)

    assert (draw(0).differences == draw(0).differences).all()
    assert (draw(0).differences != draw(1).differences).any()


def test_with_two_images_the_differences_are_those_of_the_four_possible_draws():
    # Each image holds one box; the first model finds both, the second that of image 7 alone.
    boxes = [
        {"id": n, "image_id": i, "category_id": 0, "bbox": [10.0, 10, 50, 50], "area": 2500.0}
        for n, i in enumerate((7, 3), start=1)
    ]
    annotations = {**truth(), "annotations": [{**box, "iscrowd": 0} for box in boxes]}
    both = [{**box, "score": 0.9} for box in boxes]
    for entry in both:
        del entry["id"], entry["area"]
    found = paired_bootstrap(annotations, both, both[:1], (7, 3), resamples=400, seed=3)
    # drawn: image 7 twice, image 3 twice, or each once; of two boxes, one found: 51 of 101 recalls
    half = 51 / 101 - 1
    assert {round(value, 9) for value in found.differences} == {0, -1, round(half, 9)}
    assert np.mean(found.differences == 0) == pytest.approx(0.25, abs=0.08)
    assert found.lower_bound(0.95) == -1  # a quarter of the draws
    assert found.lower_bound(0.1) == 0
    assert found.lower_bound(0.5) == pytest.approx(half)


def test_an_interval_leaves_out_as_many_draws_on_each_side():
    found = PairedBootstrap(0.4, 0.5, np.arange(101) / 100)  # quantile q is q itself
    assert found.interval(0.95) == pytest.approx((0.025, 0.975))
    assert found.interval(0.5) == pytest.approx((0.25, 0.75))
    assert found.interval(0.9)[0] == pytest.approx(found.lower_bound(0.95))


def test_a_model_that_finds_nothing_has_a_map_of_zero():
    annotations = truth()
    results = detections(annotations, 1, shift=0)
    found = paired_bootstrap(annotations, results, [], IMAGES, resamples=5, seed=0)
    assert found.second == 0
    assert (found.differences < 0).all()


def test_draws_without_a_box_are_left_out_and_images_without_any_are_an_error():
    annotations = truth(crowds=False)
    only = [box for box in annotations["annotations"] if box["image_id"] == 3]
    few = {**annotations, "annotations": only}
    results = detections(few, 1, shift=9)
    found = paired_bootstrap(few, results, results, IMAGES, resamples=200, seed=0)
    # (3/4)^4 = 32 % of the draws do without the image
    assert 100 < len(found.differences) < 170
    with pytest.raises(DataError, match="hold no boxes"):
        paired_bootstrap({**few, "annotations": []}, [], [], IMAGES, resamples=5, seed=0)
