"""Images in a page."""

import base64

import cv2
import numpy as np
import pytest

from mmdet2tflite.errors import DataError
from mmdet2tflite.report.gallery import WIDTH, Thumbnail


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
