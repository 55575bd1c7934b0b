"""Images in a page."""

import base64

import cv2
import numpy as np
import pytest

from mmdet2tflite.errors import DataError
from mmdet2tflite.report.gallery import WIDTH, Thumbnail, outlines
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import upright


def test_an_image_is_scaled_to_one_width_and_its_boxes_with_it(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((90, 640, 3), 100, np.uint8))
    found = Thumbnail.load(tmp_path / "a.png")
    assert (found.scale, found.height) == (WIDTH / 640, 45)
    kind, content = found.uri.split(",")
    assert kind == "data:image/jpeg;base64"
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (45, WIDTH, 3)
    assert np.allclose(pixels, 100, atol=2)


def test_an_image_that_is_gone_is_named(tmp_path):
    with pytest.raises(DataError, match=r"a\.png cannot be read any more"):
        Thumbnail.load(tmp_path / "a.png")


def test_an_oriented_box_is_given_by_its_corners_and_named_at_the_highest_of_them():
    # Half of the sides are 5 · (0.8, 0.6) = (4, 3) and 10 · (-0.6, 0.8) = (-6, 8).
    oriented = np.array([[50, 30, 10, 20, np.arctan2(3, 4)]], np.float32)
    scores, labels = np.array([0.5], np.float32), np.array([12])
    found = Detections(upright(oriented), scores, labels, oriented=oriented)
    (box,) = outlines(found, ["cat"] * 13, 2.0, {0: "class"})
    # 50 -+ 4 +- 6 and 30 -+ 3 -+ 8, twice as large.
    assert box["points"] == "104.0,38.0 120.0,50.0 96.0,82.0 80.0,70.0"
    assert (box["x"], box["y"]) == (104, 38)
    assert (box["colour"], box["dashed"], box["name"]) == (2, True, "cat 0.50: class")
    assert outlines(found[:0], [], 2.0, {}) == []
