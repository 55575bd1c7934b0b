"""What mmdet's dense heads have in common: ``BaseDenseHead.predict_by_feat`` before its NMS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.maps import (
    cells,
    concatenated,
    map_size,
    of_level,
    sigmoid,
    softmax,
)
from mmdet2tflite.runtime.decode.types import Detections, Floats, Integers


@dataclass(frozen=True, eq=False)
class Level:
    """The map of one stride. ``number`` counts strides, the size is in cells.

    A cell has as many priors (anchors, or its one point) as ``priors`` says. They are numbered cell
    by cell, row by row, and within a cell as its channels are.
    """

    number: int
    stride: int
    rows: int
    columns: int
    priors: int


type BoxesOf = Callable[[Floats, Level, NDArray[np.intp], Head, Preprocessing], Floats]
"""What the box map has of some priors (N x channels), with their numbers → N x 4 in pixels of the
input."""


def dense_candidates(
    outputs: Mapping[str, Floats],
    head: Head,
    preprocessing: Preprocessing,
    boxes_of: BoxesOf,
    factor: str | None = None,
    box_channels: int | None = 4,
) -> Detections:
    """Candidates above the score threshold, in pixels of the input.

    Rules 1 to 3 are those of ``scored_boxes``, as are arguments and errors.

    4. Boxes end at the border of the input if ``clip`` is set, and those without area are dropped
       unless ``keep_empty`` is.
    """
    found = scored_boxes(outputs, head, preprocessing, boxes_of, factor, box_channels)
    boxes = found.boxes
    if head.clip:
        boxes = clipped(boxes, preprocessing.width, preprocessing.height)
    found = Detections(boxes, found.scores, found.labels)
    if head.keep_empty:
        return found
    return found[np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))]


def scored_boxes(
    outputs: Mapping[str, Floats],
    head: Head,
    preprocessing: Preprocessing,
    boxes_of: BoxesOf,
    factor: str | None = None,
    box_channels: int | None = 4,
) -> Detections:
    """Boxes as ``boxes_of`` gives them, above the score threshold.

    1. Score = sigmoid(cls), or softmax(cls) without the last channel, the background. Every class
       of a prior that is strictly above the threshold is a candidate of its own.
    2. Of each map, the ``max_candidates`` of highest score count.
    3. Then a score is multiplied by the sigmoid of its prior's ``factor``, the centerness.

    Args:
        boxes_of: of the family.
        factor: meaning of the map of rule 3.
        box_channels: of a prior; None: any number.

    Raises:
        ModelError: an output is missing, or has another size than input, strides and anchors imply.
    """

    def of_stride(number: int) -> Detections:
        channels = class_channels(head, number)
        level = _level(outputs, head, preprocessing, number)
        scores, labels, priors = _best(_rows(outputs, "cls", channels // level.priors, level), head)
        raw = _rows(outputs, "box", box_channels, level)[priors]
        boxes = boxes_of(raw, level, priors, head, preprocessing)
        if factor is not None:
            scores = scores * sigmoid(_rows(outputs, factor, 1, level)[priors, 0])
        return Detections(boxes, scores, labels)

    return concatenated(of_stride(number) for number in range(len(head.strides)))


def class_channels(head: Head, number: int) -> int:
    """Channels of the class map of a stride. Raises ModelError: its anchors are missing."""
    priors = len(of_level(head.anchors, head, number, "anchors")) if head.anchors else 1
    return priors * (len(head.classes) + (head.score_function == "softmax"))


def clipped(boxes: Floats, width: int, height: int) -> Floats:
    """Boxes that end at the border of so many pixels."""
    return np.clip(boxes, 0, np.array([width, height] * 2, np.float32))


def strongest(probabilities: Floats, head: Head) -> tuple[Floats, Integers, NDArray[np.intp]]:
    """Rules 1 and 2 for N x classes: scores, labels and rows."""
    rows, labels = np.nonzero(probabilities > np.float32(head.score_threshold))
    scores = probabilities[rows, labels]
    if head.max_candidates is not None and head.max_candidates >= 0:
        best = np.argsort(-scores, kind="stable")[: head.max_candidates]
        scores, labels, rows = scores[best], labels[best], rows[best]
    return scores, labels, rows


def _level(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing, number: int
) -> Level:
    stride = head.strides[number]
    rows, columns = (-(-side // stride) for side in (preprocessing.height, preprocessing.width))
    if not head.anchors:
        return Level(number, stride, rows, columns, priors=1)
    # SSD's last convolutions have no pads: its maps are smaller than input and stride imply.
    rows, columns = map_size(outputs, f"cls_{stride}")
    return Level(number, stride, rows, columns, len(head.anchors[number]))


def _best(logits: Floats, head: Head) -> tuple[Floats, Integers, NDArray[np.intp]]:
    if head.score_function == "softmax":
        return strongest(softmax(logits)[:, :-1], head)
    return strongest(sigmoid(logits), head)


def _rows(
    outputs: Mapping[str, Floats], meaning: str, channels: int | None, level: Level
) -> Floats:
    """A map as a row for each prior, of so many channels."""
    name = f"{meaning}_{level.stride}"
    total = None if channels is None else channels * level.priors
    flat = cells(outputs, name, total, level.rows, level.columns)
    return flat.reshape(level.rows * level.columns * level.priors, -1)
