"""The runtime that a user ships finds what the evaluation found, on the golden network's files."""

import json

import numpy as np
import pytest

from mmdet2tflite.evaluate.results import Evaluated, to_results
from mmdet2tflite.runtime import Detector
from tests.toolchain.conftest import STRATEGIES

pytestmark = pytest.mark.toolchain


@pytest.fixture(scope="module")
def images(main_path):
    """Paths of all validation images by id."""
    data = main_path.store.path(main_path.dataset, main_path.dataset.val.annotations)
    entries = json.loads(data.read_text(encoding="utf-8"))["images"]
    return {entry["id"]: data.parent / entry["file_name"] for entry in entries}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_detections_are_those_of_the_report_to_the_last_bit(main_path, variants, images, strategy):
    variant = variants[strategy]
    expected = Evaluated.load(main_path.store.path(variant.report))
    assert len(images) == len(expected.detections) == 24
    assert len(expected.coco_results()) > 24
    detector = Detector(variant.path)
    found = dict(zip(images, detector(list(images.values())), strict=True))
    for image_id, detections in found.items():
        assert to_results(image_id, detections) == to_results(
            image_id, expected.detections[image_id]
        )


def test_a_threshold_keeps_the_best_detections_of_the_report(main_path, variants, images):
    expected = Evaluated.load(main_path.store.path(variants["mirror"].report)).detections
    detector = Detector(variants["mirror"].path, score_threshold=0.3)
    for image_id, path in images.items():
        found, all_of_them = detector(path), expected[image_id]
        sure = all_of_them[all_of_them.scores >= np.float32(0.3)]
        assert found.scores.tolist() == sure.scores.tolist()
        assert found.labels.tolist() == sure.labels.tolist()
        assert found.names == [str(label) for label in sure.labels]  # the classes are digits
