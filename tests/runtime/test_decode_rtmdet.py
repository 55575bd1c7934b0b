"""RTMDet's decoder on cells computed by hand. tests/toolchain holds it against mmdet."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import decode

INPUT = Preprocessing(width=32, height=16)
HEAD = Head(
    family="rtmdet",
    classes=("cat", "dog"),
    strides=(8, 16),
    score_threshold=0.01,
    nms_iou=0.65,
    max_detections=100,
)
NEVER = -30.0
"""A logit whose sigmoid is 1e-13."""


def silent_outputs():
    """A 32 x 16 input at strides 8 (2 x 4 cells) and 16 (1 x 2), all boxes 2 pixels wide."""
    maps = {}
    for stride, rows in ((8, 2), (16, 1)):
        maps[f"cls_{stride}"] = np.full((1, 2, rows, 2 * rows), NEVER, np.float32)
        maps[f"box_{stride}"] = np.ones((1, 4, rows, 2 * rows), np.float32)
    return maps


def test_a_cell_is_its_corner_and_four_distances_in_pixels():
    outputs = silent_outputs()
    row, column = 1, 2
    outputs["cls_8"][0, 1, row, column] = log(3)  # sigmoid(ln 3) = 3/4
    outputs["box_8"][0, :, row, column] = 3, 5, 7, 6

    found = decode(outputs, HEAD, INPUT, scale_factor=0.5)

    # the corner is (2, 1) * 8 = (16, 8): (13, 3, 23, 14) in the input, twice that in the image
    np.testing.assert_array_equal(found.boxes, [[26, 6, 46, 28]])
    np.testing.assert_allclose(found.scores, [0.75], atol=1e-7)
    assert found.labels.tolist() == [1]


def test_every_class_of_a_cell_above_the_threshold_is_found():
    outputs = silent_outputs()
    outputs["cls_16"][0, :, 0, 1] = 1, 2
    found = decode(outputs, HEAD, INPUT, 1.0)
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_array_equal(found.boxes, [[15, 0, 17, 1]] * 2)


def test_a_score_equal_to_the_threshold_does_not_count():
    outputs = silent_outputs()
    outputs["cls_16"][0, 0, 0, 1] = 0  # sigmoid(0) = 1/2
    at, below = (replace(HEAD, score_threshold=t) for t in (0.5, 0.4999999))
    assert len(decode(outputs, at, INPUT, 1.0)) == 0
    assert len(decode(outputs, below, INPUT, 1.0)) == 1


def test_a_box_ends_at_the_border_of_the_input_and_is_dropped_if_nothing_is_left():
    outputs = silent_outputs()
    outputs["cls_8"][0, 0, :, 3] = 1, 2
    outputs["box_8"][0, :, 1, 3] = 100, 100, 100, 100
    outputs["box_8"][0, :, 0, 3] = 1, 2, 1, 0  # above the first row: y from -2 to 0
    np.testing.assert_array_equal(decode(outputs, HEAD, INPUT, 1.0).boxes, [[0, 0, 32, 16]])


def test_a_box_turned_inside_out_by_negative_distances_is_dropped():
    outputs = silent_outputs()
    outputs["cls_8"][0, 0, 1, 1:3] = 1, 2
    outputs["box_8"][0, :, 1, 1] = -3, 1, 2, 1  # x from 11 to 10
    assert len(decode(outputs, HEAD, INPUT, 1.0)) == 1


def test_only_the_best_candidates_of_each_map_are_taken():
    outputs = silent_outputs()
    outputs["cls_8"][0, 0, 1] = 3, 5, 4, 2
    outputs["cls_16"][0, 1, 0] = 1, 0
    two = replace(HEAD, max_candidates=2)
    found = decode(outputs, two, INPUT, 1.0)
    # x of stride 8: 0, 8, 16, 24; of stride 16: 0, 16
    assert [
        (round(box[0]), label) for box, label in zip(found.boxes, found.labels, strict=True)
    ] == [
        (7, 0),
        (15, 0),
        (0, 1),
        (15, 1),
    ]


def test_outputs_of_another_size_are_refused():
    outputs = silent_outputs()
    outputs["box_8"] = outputs["box_8"].transpose(0, 1, 3, 2)
    with pytest.raises(ModelError, match=r"box_8 has the shape \[1, 4, 4, 2\]") as error:
        decode(outputs, HEAD, INPUT, 1.0)
    assert "[1, 4, 2, 4]" in error.value.expected
