"""CenterNet's decoder on cells computed by hand. tests/toolchain holds it against mmdet."""

from dataclasses import replace

import numpy as np
import pytest

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode import decode

INPUT = Preprocessing(width=32, height=16)
HEAD = Head(
    family="centernet",
    classes=("cat", "dog"),
    strides=(4,),
    score_threshold=0.0,
    nms_iou=1.0,
    max_detections=100,
    max_candidates=100,
)


def outputs_of(**peaks):
    """4 x 8 cells, all boxes 2 x 3 cells; of the classes given, scores by cell."""
    heat = np.zeros((1, 2, 4, 8), np.float32)
    for name, scores in peaks.items():
        for cell, score in scores.items():
            heat[(0, HEAD.classes.index(name), *cell)] = score
    size, offset = np.zeros((1, 2, 4, 8), np.float32), np.zeros((1, 2, 4, 8), np.float32)
    size[:, 0], size[:, 1] = 2, 3
    offset[:, 0], offset[:, 1] = 0.25, 0.5
    return {"heatmap_4": heat, "size_4": size, "offset_4": offset}


def test_a_peak_is_its_cell_its_offset_and_its_sides_in_cells():
    found = decode(outputs_of(dog={(1, 5): 0.5}), HEAD, INPUT, scale_factor=0.5)
    # centre (5.25, 1.5), 2 x 3 cells of 4 pixels, twice that in the image
    np.testing.assert_array_equal(found.boxes, [[34, 0, 50, 24]])
    assert (found.scores.tolist(), found.labels.tolist()) == ([0.5], [1])


def test_a_cell_beside_a_higher_one_of_its_class_is_no_peak():
    cats, dogs = {(1, 1): 0.9, (2, 2): 0.8, (1, 3): 0.7, (3, 6): 0.6}, {(2, 2): 0.5}
    found = decode(outputs_of(cat=cats, dog=dogs), HEAD, INPUT, 1.0)
    np.testing.assert_allclose(found.scores, [0.9, 0.6, 0.5])
    # (1, 3) is beside (2, 2), which is beside (1, 1)
    smaller = replace(HEAD, peak_window=1)
    assert len(decode(outputs_of(cat=cats, dog=dogs), smaller, INPUT, 1.0)) == 5


def test_the_highest_peaks_count():
    outputs = outputs_of(cat={(0, 0): 0.9, (0, 4): 0.3}, dog={(3, 0): 0.6})
    found = decode(outputs, replace(HEAD, max_candidates=2), INPUT, 1.0)
    np.testing.assert_allclose(found.scores, [0.9, 0.6])


def test_maps_of_another_stride_are_refused():
    with pytest.raises(ModelError, match=r"no output heatmap_8"):
        decode(outputs_of(), replace(HEAD, strides=(8,)), INPUT, 1.0)
