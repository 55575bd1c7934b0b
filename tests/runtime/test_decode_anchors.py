"""Deltas of anchors on cells computed by hand. tests/toolchain holds them against mmdet."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import decode

INPUT = Preprocessing(width=64, height=32)
SMALL, WIDE = (-4.0, -4.0, 4.0, 4.0), (-16.0, -4.0, 16.0, 4.0)
HEAD = Head(
    family="retinanet",
    classes=("cat", "dog"),
    strides=(16,),
    score_threshold=0.3,
    nms_iou=0.5,
    max_detections=100,
    anchors=((SMALL, WIDE),),
)
SSD = replace(HEAD, family="ssd", score_function="softmax")
NEVER = -30.0
"""A logit whose sigmoid is 1e-13."""
ROW, COLUMN = 1, 2
CORNER = (32, 16)


def one_cell(anchor, delta, classes=2, **others):
    """2 x 4 cells with two anchors, of which one anchor of one cell is a dog by 3/4."""
    maps = {"cls_16": np.full((1, 2, classes, 2, 4), NEVER), "box_16": np.zeros((1, 2, 4, 2, 4))}
    maps["cls_16"][0, anchor, 1, ROW, COLUMN] = log(3)
    maps["box_16"][0, anchor, :, ROW, COLUMN] = delta
    for name, value in others.items():
        maps[f"{name}_16"] = np.full((1, 2, 1, 2, 4), value)
    return {name: value.reshape(1, -1, 2, 4).astype(np.float32) for name, value in maps.items()}


@pytest.mark.parametrize(("anchor", "box"), [(0, [28, 12, 36, 20]), (1, [16, 12, 48, 20])])
def test_without_a_delta_a_box_is_its_anchor(anchor, box):
    found = decode(one_cell(anchor, 0), HEAD, INPUT, 1.0)
    np.testing.assert_array_equal(found.boxes, [box])
    np.testing.assert_allclose(found.scores, [0.75], atol=1e-7)
    assert found.labels.tolist() == [1]


def test_a_delta_moves_by_sides_and_grows_by_its_exponential():
    found = decode(one_cell(1, (1 / 4, 1 / 2, log(1 / 2), log(3))), HEAD, INPUT, 1.0)
    # the centre (32, 16) moves by (32 / 4, 8 / 2); 32 x 8 becomes 16 x 24
    np.testing.assert_allclose(found.boxes, [[32, 8, 48, 32]], rtol=1e-6)


def test_a_delta_is_scaled_and_shifted_first():
    coded = replace(HEAD, box_stds=(0.5, 0.5, 0.1, 0.1), box_means=(0.25, 0, 0, 0))
    found = decode(one_cell(1, (1 / 2, 0, 10 * log(1 / 2), 0)), coded, INPUT, 1.0)
    # dx = 1/4 + 1/4 of 32
    np.testing.assert_allclose(found.boxes, [[40, 12, 56, 20]], rtol=1e-6)


def test_a_box_grows_by_a_thousand_sixteenths_at_most():
    found = decode(one_cell(0, (0, 0, -99, 99)), replace(HEAD, clip=False), INPUT, 1.0)
    half = 8 * 1000 / 16 / 2
    np.testing.assert_allclose(found.boxes, [[31.936, 16 - half, 32.064, 16 + half]], rtol=1e-5)


def test_yolof_moves_a_centre_by_its_clamp_at_most():
    yolof = replace(HEAD, family="yolof", centre_clamp=8.0)
    found = decode(one_cell(1, (-1, 0.5, 0, 0)), yolof, INPUT, 1.0)
    np.testing.assert_array_equal(found.boxes, [[8, 16, 40, 24]])  # not by 32, and by 8 / 2


def test_atss_multiplies_by_the_centerness():
    found = decode(one_cell(0, 0, centerness=0), replace(HEAD, family="atss"), INPUT, 1.0)
    np.testing.assert_allclose(found.scores, [0.75 * 0.5], atol=1e-7)


def test_of_a_softmax_the_last_channel_is_the_background():
    outputs = one_cell(0, 0, classes=3)
    outputs["cls_16"] = outputs["cls_16"].reshape(1, 2, 3, 2, 4)
    outputs["cls_16"][0, :, 2] = 9  # background everywhere
    outputs["cls_16"][0, 0, :, ROW, COLUMN] = log(1), log(6), log(3)
    outputs["cls_16"] = outputs["cls_16"].reshape(1, 6, 2, 4)
    found = decode(outputs, SSD, INPUT, 1.0)
    assert found.labels.tolist() == [1]
    np.testing.assert_allclose(found.scores, [6 / 10], atol=1e-7)


def test_a_map_may_be_smaller_than_its_stride_implies():
    outputs = {name: value[:, :, :1, :1] for name, value in one_cell(0, 0).items()}
    outputs["cls_16"][0, 1] = 9
    found = decode(outputs, HEAD, INPUT, 1.0)
    np.testing.assert_array_equal(found.boxes, [[0, 0, 4, 4]])  # clipped at the corner


def test_anchors_for_other_strides_are_refused():
    with pytest.raises(ModelError, match="anchors for 2 maps and 1 strides"):
        decode(one_cell(0, 0), replace(HEAD, anchors=((SMALL,), (WIDE,))), INPUT, 1.0)
    with pytest.raises(ModelError, match=r"cls_16 has the shape \[1, 4, 2, 4\]"):
        decode(one_cell(0, 0), replace(HEAD, anchors=()), INPUT, 1.0)


def test_channels_for_other_anchors_are_refused():
    one = replace(HEAD, anchors=((SMALL,),))
    with pytest.raises(ModelError, match=r"cls_16 has the shape \[1, 4, 2, 4\]") as error:
        decode(one_cell(0, 0), one, INPUT, 1.0)
    assert "[1, 2, 2, 4]" in error.value.expected
