"""FCOS, GFL and FoveaBox on cells computed by hand. tests/toolchain holds them against mmdet."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import decode

INPUT = Preprocessing(width=32, height=16)
HEAD = Head(
    family="fcos",
    classes=("cat", "dog"),
    strides=(8,),
    score_threshold=0.3,
    nms_iou=0.65,
    max_detections=100,
    point_offset=0.5,
)
GFL = replace(HEAD, family="gfl", point_offset=0.0)
FOVEABOX = replace(HEAD, family="foveabox", base_sizes=(16.0,))
NEVER = -30.0
"""A logit whose sigmoid is 1e-13."""
ROW, COLUMN = 1, 2


def one_cell(box, channels=4, **others):
    """2 x 4 cells of which one is a dog by 3/4 (the sigmoid of ln 3)."""
    maps = {"cls_8": np.full((1, 2, 2, 4), NEVER), "box_8": np.zeros((1, channels, 2, 4))}
    maps["cls_8"][0, 1, ROW, COLUMN] = log(3)
    maps["box_8"][0, :, ROW, COLUMN] = box
    for name, value in others.items():
        maps[f"{name}_8"] = np.full((1, 1, 2, 4), NEVER)
        maps[f"{name}_8"][0, 0, ROW, COLUMN] = value
    return {name: value.astype(np.float32) for name, value in maps.items()}


def test_fcos_measures_from_the_middle_of_a_cell_and_multiplies_by_the_centerness():
    found = decode(one_cell((3, 5, 7, 2), centerness=0), HEAD, INPUT, scale_factor=0.5)
    # the point is (2.5, 1.5) * 8 = (20, 12): (17, 7, 27, 14) in the input, twice that in the image
    np.testing.assert_array_equal(found.boxes, [[34, 14, 54, 28]])
    np.testing.assert_allclose(found.scores, [0.75 * 0.5], atol=1e-7)
    assert found.labels.tolist() == [1]


def test_the_threshold_is_for_the_score_before_the_centerness():
    above, below = (replace(HEAD, score_threshold=threshold) for threshold in (0.74, 0.76))
    outputs = one_cell((1, 1, 1, 1), centerness=-3)  # sigmoid(-3) = 0.047
    np.testing.assert_allclose(
        decode(outputs, above, INPUT, 1.0).scores, [0.75 * 0.0474], atol=1e-4
    )
    assert len(decode(outputs, below, INPUT, 1.0)) == 0


def test_gfl_takes_the_mean_of_each_distribution_in_strides():
    steps = np.zeros((4, 5))  # 0 to 4, all alike: the mean is 2
    steps[2, 1] = 100  # certainly 1 to the right
    found = decode(one_cell(steps.reshape(-1), channels=20), GFL, INPUT, 1.0)
    # the point is (16, 8), a stride 8; at the top and at the bottom the box ends with the input
    np.testing.assert_allclose(found.boxes, [[0, 0, 24, 16]], atol=1e-5)
    steps[1, 0] = steps[3, 1] = 100
    found = decode(one_cell(steps.reshape(-1), channels=20), GFL, INPUT, 1.0)
    np.testing.assert_allclose(found.boxes, [[0, 8, 24, 16]], atol=1e-5)


def test_distributions_that_are_no_four_are_refused():
    with pytest.raises(ModelError, match="box_8 has 18 channels") as error:
        decode(one_cell(0, channels=18), GFL, INPUT, 1.0)
    assert "four distributions" in error.value.expected


def test_foveabox_multiplies_the_base_size_and_ends_at_the_last_pixel():
    halves = [log(1 / 4), log(1 / 8), log(9), log(1 / 8)]
    found = decode(one_cell(halves), FOVEABOX, INPUT, 1.0)
    # the point is (20, 12), the base size 16: 4 to the left, 2 up, 144 to the right, 2 down
    np.testing.assert_allclose(found.boxes, [[16, 10, 31, 14]], rtol=1e-6)


def test_a_box_without_area_counts_where_the_config_keeps_it():
    behind_the_border = one_cell((-20, 1, 40, 1), centerness=9)  # from x = 40 in an input of 32
    assert len(decode(behind_the_border, HEAD, INPUT, 1.0)) == 0
    kept = decode(behind_the_border, replace(HEAD, keep_empty=True), INPUT, 1.0)
    np.testing.assert_array_equal(kept.boxes, [[32, 11, 32, 13]])
    beyond = decode(behind_the_border, replace(HEAD, clip=False), INPUT, 1.0)
    np.testing.assert_array_equal(beyond.boxes, [[40, 11, 60, 13]])


def test_a_foveabox_without_base_sizes_is_refused():
    with pytest.raises(ModelError, match="base_sizes for 0 maps and 1 strides"):
        decode(one_cell(0), replace(FOVEABOX, base_sizes=()), INPUT, 1.0)
