"""The decoder on cells that can be computed by hand. tests/toolchain holds it against mmdet."""

from dataclasses import replace
from fractions import Fraction
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdet2tflite.errors import DataError, ModelError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import Detections, class_aware_nms, decode, letterbox

INPUT = Preprocessing(width=16, height=16)
HEAD = Head(
    family="yolox",
    classes=("cat", "dog"),
    strides=(8, 16),
    score_threshold=0.01,
    nms_iou=0.65,
    max_detections=100,
)
NEVER = -30.0
"""A logit whose sigmoid is 1e-13."""


def silent_outputs():
    """A 16 x 16 input at strides 8 (2 x 2 cells) and 16 (one cell) in which nothing is found."""
    maps = {}
    for stride, side in ((8, 2), (16, 1)):
        maps[f"cls_{stride}"] = np.zeros((1, 2, side, side), np.float32)
        maps[f"box_{stride}"] = np.zeros((1, 4, side, side), np.float32)
        maps[f"obj_{stride}"] = np.full((1, 1, side, side), NEVER, np.float32)
    return maps


def test_a_cell_is_decoded_by_the_formula_of_yolox():
    outputs = silent_outputs()
    row, column = 1, 0
    outputs["cls_8"][0, :, row, column] = NEVER, log(3)  # sigmoid(ln 3) = 3/4
    outputs["obj_8"][0, 0, row, column] = 0  # sigmoid(0) = 1/2
    outputs["box_8"][0, :, row, column] = 0.25, 0.5, log(2), log(1)

    found = decode(outputs, HEAD, INPUT, scale_factor=1.0)

    # centre = (0 + 0.25, 1 + 0.5) * 8 = (2, 12); size = (2, 1) * 8 = (16, 8)
    np.testing.assert_allclose(found.boxes, [[-6, 8, 10, 16]], atol=1e-5)
    np.testing.assert_allclose(found.scores, [0.375], atol=1e-7)
    assert found.labels.tolist() == [1]


def test_boxes_are_divided_by_the_scale_factor_to_lie_in_the_original_image():
    outputs = silent_outputs()
    outputs["obj_16"][:] = 0
    found = decode(outputs, HEAD, INPUT, scale_factor=0.25)
    # centre (0, 0), size 16 in the input, 64 in the image
    np.testing.assert_allclose(found.boxes, [[-32, -32, 32, 32]])


def test_a_cell_yields_only_its_best_class():
    outputs = silent_outputs()
    outputs["obj_16"][:] = 10
    outputs["cls_16"][0, :, 0, 0] = 3, 2
    assert decode(outputs, HEAD, INPUT, 1.0).labels.tolist() == [0]


def test_a_score_equal_to_the_threshold_counts():
    outputs = silent_outputs()
    outputs["obj_16"][:] = 0  # score = 1/2 * 1/2
    at, above = (replace(HEAD, score_threshold=t) for t in (0.25, 0.2500001))
    assert len(decode(outputs, at, INPUT, 1.0)) == 1
    assert len(decode(outputs, above, INPUT, 1.0)) == 0


def test_detections_come_best_first_and_no_more_than_allowed():
    outputs = silent_outputs()
    outputs["obj_8"][0, 0] = [[0, 1], [2, 3]]
    outputs["box_8"][0, 2:] = log(0.5)  # small enough not to touch
    two = replace(HEAD, max_detections=2)
    found = decode(outputs, two, INPUT, 1.0)
    # the two highest objectness logits are 3 at cell (1, 1) and 2 at cell (1, 0)
    np.testing.assert_allclose(found.boxes, [[6, 6, 10, 10], [-2, 6, 2, 10]], atol=1e-6)
    assert found.scores[0] > found.scores[1]


def test_equal_boxes_of_two_classes_both_stay_and_of_one_class_the_better_one():
    outputs = silent_outputs()
    outputs["obj_8"][0, 0, 0] = 1, 2
    outputs["box_8"][0, 0, 0] = 1, 0  # both centres at x = 8
    assert len(decode(outputs, HEAD, INPUT, 1.0)) == 1
    outputs["cls_8"][0, :, 0, 1] = -1, 1
    assert decode(outputs, HEAD, INPUT, 1.0).labels.tolist() == [1, 0]


def test_a_box_that_overflows_is_dropped_and_spoils_no_other():
    outputs = silent_outputs()
    outputs["obj_8"][0, 0, 0] = 1, 2
    outputs["box_8"][0, 2, 0, 1] = 100  # exp(100) is no float32
    np.testing.assert_allclose(decode(outputs, HEAD, INPUT, 1.0).boxes, [[-4, -4, 4, 4]])


def test_a_missing_output_is_named():
    outputs = silent_outputs()
    del outputs["obj_16"]
    with pytest.raises(ModelError, match="no output obj_16"):
        decode(outputs, HEAD, INPUT, 1.0)


def test_outputs_in_another_layout_are_refused_with_both_shapes():
    outputs = {name: value.transpose(0, 2, 3, 1) for name, value in silent_outputs().items()}
    with pytest.raises(ModelError, match=r"\[1, 2, 2, 4\]") as error:
        decode({**silent_outputs(), "box_8": outputs["box_8"]}, HEAD, INPUT, 1.0)
    assert "[1, 4, 2, 2]" in error.value.expected


# --- non-maximum suppression ------------------------------------------------------------------


@st.composite
def candidates(draw):
    """Boxes on a small integer grid, where float32 is exact and overlaps are frequent."""
    corner, side = st.integers(0, 12), st.integers(0, 12)
    rows = draw(st.lists(st.tuples(corner, corner, side, side), max_size=30))
    count = len(rows)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in rows], np.float32).reshape(-1, 4)
    tenths = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    labels = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    return boxes, np.array(tenths, np.float32) / 10, np.array(labels, np.int64)


def brute_force(boxes, scores, labels, threshold):
    """The definition: by descending score, a box goes if a kept one of its class overlaps it."""

    def iou(a, b):
        width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
        height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
        shared = width * height
        union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - shared
        return Fraction(shared, union) if union else Fraction(0)

    exact = [[int(side) for side in box] for box in boxes]
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        rivals = [j for j in kept if labels[j] == labels[i]]
        if all(iou(exact[i], exact[j]) <= threshold for j in rivals):
            kept.append(i)
    return kept


@given(candidates(), st.sampled_from([Fraction(1, 2), Fraction(13, 20)]))
def test_nms_is_the_definition(found, threshold):
    expected = brute_force(*found, threshold)
    assert class_aware_nms(*found, float(threshold), limit=100).tolist() == expected


def test_a_box_whose_overlap_equals_the_threshold_stays():
    boxes = np.array([[0, 0, 4, 4], [0, 0, 4, 2], [0, 0, 4, 3]], np.float32)  # IoU 1/2 and 3/4
    scores = np.array([0.9, 0.8, 0.7], np.float32)
    assert class_aware_nms(boxes, scores, np.zeros(3, int), 0.5, limit=9).tolist() == [0, 1]


@given(candidates(), st.integers(0, 5))
def test_nms_with_a_limit_is_the_beginning_of_nms_without(found, limit):
    unlimited = class_aware_nms(*found, 0.5, limit=100)
    assert class_aware_nms(*found, 0.5, limit).tolist() == unlimited[:limit].tolist()


def test_the_best_detections_keep_the_order_of_equal_scores():
    found = Detections(
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array([0.5, 0.9, 0.5], np.float32),
        np.array([0, 1, 2]),
    )
    assert found.best(3).labels.tolist() == [1, 0, 2]


# --- letterbox ----------------------------------------------------------------------------------


def plain(width, height, bgr=(10, 20, 30)):
    return np.full((height, width, 3), bgr, np.uint8)


def test_a_wide_image_touches_both_sides_and_is_padded_below():
    tensor, scale_factor = letterbox(plain(64, 16), Preprocessing(width=32, height=32))
    assert scale_factor == 0.5
    assert tensor.shape == (1, 3, 32, 32)
    for channel, value in enumerate((10, 20, 30)):
        assert (tensor[0, channel, :8] == value).all()
    assert (tensor[0, :, 8:] == 114).all()


def test_a_narrow_image_is_rounded_twice_as_mmdet_does():
    # 320 / 997 makes it 320 x 4 (4.17 rounded); 4 / 13 then makes it 307 x 4 (306.8 rounded)
    tensor, scale_factor = letterbox(plain(997, 13), Preprocessing(width=320, height=192))
    assert (tensor[0, 0, :4, :307] == 10).all()
    assert (tensor[0, 0, :, 307:] == 114).all()
    assert (tensor[0, 0, 4:] == 114).all()
    assert scale_factor == 320 / 997


def test_a_small_image_is_enlarged():
    tensor, scale_factor = letterbox(plain(4, 8), Preprocessing(width=32, height=32))
    assert scale_factor == 4.0
    assert (tensor[0, 0, :, :16] == 10).all()
    assert (tensor[0, 0, :, 16:] == 114).all()


def test_colour_order_mean_and_deviation_are_those_of_the_network():
    rgb = Preprocessing(
        width=32, height=64, colour_order="rgb", mean=(1.0, 2.0, 4.0), std=(1.0, 2.0, 4.0)
    )
    tensor, _ = letterbox(plain(32, 32), rgb)
    assert tensor[0, :, 0, 0].tolist() == [(30 - 1) / 1, (20 - 2) / 2, (10 - 4) / 4]
    assert tensor[0, :, -1, 0].tolist() == [(114 - 1) / 1, (114 - 2) / 2, (114 - 4) / 4]


def test_an_image_of_which_nothing_would_be_left_is_refused():
    with pytest.raises(DataError, match="1000 x 1 pixels"):
        letterbox(plain(1000, 1), Preprocessing(width=320, height=192))
