"""YOLOv3's decoder on cells computed by hand. tests/toolchain holds it against mmdet."""

from dataclasses import replace
from math import log

import numpy as np

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import decode

INPUT = Preprocessing(width=64, height=32)
HEAD = Head(
    family="yolov3",
    classes=("cat", "dog"),
    strides=(16,),
    score_threshold=0.5,
    nms_iou=0.5,
    max_detections=100,
    anchors=(((4.0, 4.0, 12.0, 12.0), (-8.0, 4.0, 24.0, 12.0)),),
    objectness_threshold=0.2,
)
NEVER = -30.0


def outputs_of(*cells):
    """2 x 4 cells; of each given: row, column, anchor and its seven attributes."""
    values = np.full((1, 2, 7, 2, 4), NEVER, np.float32)
    for row, column, anchor, attributes in cells:
        values[0, anchor, :, row, column] = attributes
    return {"map_16": values.reshape(1, 14, 2, 4)}


def test_a_box_is_moved_within_its_cell_and_grows_from_its_anchor():
    attributes = [log(3), 0, log(1 / 2), log(2), 0, NEVER, log(3)]
    found = decode(outputs_of((1, 2, 1, attributes)), HEAD, INPUT, 1.0)
    # the anchor's centre is (8, 8) in the cell at (32, 16); 3/4 - 1/2 of 16 to the right
    np.testing.assert_allclose(found.boxes, [[44 - 8, 24 - 8, 44 + 8, 24 + 8]], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.75 * 0.5], atol=1e-7)  # times the objectness
    assert found.labels.tolist() == [1]


def test_an_anchor_counts_by_its_objectness_and_a_class_by_its_own_score():
    sure = [0, 0, 0, 0, log(1 / 4), 0, log(3)]  # objectness 1/5, as its threshold; classes 1/2, 3/4
    found = decode(outputs_of((0, 0, 0, sure)), HEAD, INPUT, 1.0)
    assert found.labels.tolist() == [1]  # strictly above 1/2
    stricter = replace(HEAD, objectness_threshold=0.21)
    assert len(decode(outputs_of((0, 0, 0, sure)), stricter, INPUT, 1.0)) == 0


def test_the_candidates_of_all_maps_are_chosen_together_by_their_class():
    far, near = ([0, 0, 0, 0, logit, NEVER, score] for logit, score in ((9, 1), (-1, 2)))
    outputs = outputs_of((0, 0, 0, far), (1, 3, 0, near))
    two = replace(HEAD, strides=(16, 8), anchors=HEAD.anchors * 2, max_candidates=1)
    outputs["map_8"] = np.full((1, 14, 4, 8), NEVER, np.float32)
    found = decode(outputs, two, INPUT, 1.0)
    np.testing.assert_array_equal(found.boxes, [[52, 20, 60, 28]])
