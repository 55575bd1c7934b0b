"""errors.png is drawn of whatever an analysis holds."""

import cv2
import pytest

from mmdet2tflite.evaluate.analysis import analyse
from mmdet2tflite.evaluate.error_sheet import DPI, NAMED, SIZE, draw_analysis
from mmdet2tflite.evaluate.results import Evaluated
from tests.evaluate.scenes import NOTHING, A, boxes, coco, truth_of


@pytest.mark.parametrize(
    ("images", "found", "classes"),
    [
        ({1: [(0, A)]}, {1: boxes((0, A), (1, A))}, 3),
        ({1: []}, {1: NOTHING}, 3),
        ({1: [(0, A)]}, {1: NOTHING}, NAMED + 1),
    ],
    ids=["boxes and detections", "nothing", "many classes"],
)
def test_a_sheet_is_drawn(images, found, classes, tmp_path):
    names = [f"class {number}" for number in range(classes)]
    annotations = coco(images)
    annotations["categories"] = [{"id": i, "name": name} for i, name in enumerate(names)]
    truth = truth_of(annotations, tmp_path)
    analysis = analyse(annotations, truth, Evaluated(found, {}), names)
    draw_analysis(analysis, tmp_path / "errors.png")
    sheet = cv2.imread(str(tmp_path / "errors.png"))
    assert sheet is not None
    assert sheet.shape == (SIZE[1] * DPI, SIZE[0] * DPI, 3)
    halves = (sheet[:, : sheet.shape[1] // 2], sheet[:, sheet.shape[1] // 2 :])
    assert all((half < 128).any() for half in halves)
