"""Oriented boxes and detections in a line of code, and the COCO json of a few images with them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import areas_of, corners_of, upright
from tests.evaluate.scenes import coco

Turned = tuple[float, float, float, float, float]
"""x, y of the centre, width, height, and degrees clockwise."""


def in_radians(boxes: Sequence[Turned]) -> np.ndarray:
    """N x 5, as detections have them."""
    table = np.array(boxes, np.float64).reshape(-1, 5)
    table[:, 4] = np.radians(table[:, 4])
    return table


def turned(*found: tuple[int, Turned] | tuple[int, Turned, float]) -> Detections:
    """Of (label, box) or (label, box, score); the score is 0.9 if nothing else is said."""
    boxes = in_radians([box for _, box, *_ in found]).astype(np.float32)
    scores = [rest[0] if rest else 0.9 for _, _, *rest in found]
    labels = np.array([label for label, *_ in found], np.int64)
    return Detections(upright(boxes), np.array(scores, np.float32), labels, oriented=boxes)


NOTHING_TURNED = turned()


def oriented_coco(
    images: Mapping[int, Sequence[tuple[int, Turned]]],
    crowds: Sequence[tuple[int, int, Turned]] = (),
) -> dict[str, Any]:
    """A COCO json of (label, box) by image id, and of crowds: (image id, label, box)."""
    boxes = [box for found in images.values() for _, box in found]
    boxes += [box for _, _, box in crowds]
    values = coco(
        {i: [(label, (0, 0, 1, 1)) for label, _ in found] for i, found in images.items()},
        [(image_id, label, (0, 0, 1, 1)) for image_id, label, _ in crowds],
    )
    table = in_radians(boxes)
    corners = corners_of(table)
    lowest, highest = corners.min(axis=1), corners.max(axis=1)
    entries = values["annotations"]
    for number, area in enumerate(areas_of(table).tolist()):
        entries[number]["segmentation"] = [corners[number].ravel().tolist()]
        sides = highest[number] - lowest[number]
        entries[number]["bbox"] = [*lowest[number].tolist(), *sides.tolist()]
        entries[number]["area"] = area
    return values


def results_of(found: Mapping[int, Detections]) -> list[dict[str, Any]]:
    """As COCO results."""
    return Evaluated(found, {}).coco_results()


def random_oriented_scene(
    seed: int, images: int = 12, angle: float = 180
) -> tuple[dict[str, Any], dict[int, Detections]]:
    """Boxes and crowds of all sizes, and detections near them, of wrong classes, or of nothing.

    Args:
        angle: the largest, in degrees. With 0, all boxes are upright.
    """
    rng = np.random.default_rng(seed)

    def somewhere() -> Turned:
        place, sides = rng.uniform(0, 200, 2).tolist(), rng.uniform(5, 150, 2).tolist()
        return (*place, *sides, rng.uniform(-angle, angle))

    def near(box: Turned) -> Turned:
        changed = np.array(box) + rng.normal(0, 1, 5) * (5, 5, 6, 6, angle and 5)
        return (*changed[:2].tolist(), *changed[2:4].clip(1).tolist(), float(changed[4]))

    truth = {
        i: [(int(rng.integers(3)), somewhere()) for _ in range(rng.integers(6))]
        for i in range(1, images + 1)
    }
    crowds = [(i, int(rng.integers(3)), somewhere()) for i in range(1, images + 1, 2)]
    found = {}
    for image_id, there in truth.items():
        copies = [*there, *there[: rng.integers(3)]]
        copies += [(label, box) for i, label, box in crowds if i == image_id]
        moved = [
            (label if rng.uniform() < 0.8 else int(rng.integers(3)), near(box))
            for label, box in copies
        ]
        stray = [(int(rng.integers(3)), somewhere()) for _ in range(rng.integers(3))]
        found[image_id] = turned(
            *((label, box, float(rng.uniform())) for label, box in (*moved, *stray))
        )
    return oriented_coco(truth, crowds), found


def quarter_turn(box: Turned) -> Turned:
    """The same rectangle, written with its sides exchanged."""
    x, y, width, height, angle = box
    return (x, y, height, width, angle + 90)


DIAGONAL: Turned = (100, 100, 100, 20, 45)
ACROSS: Turned = (100, 100, 100, 20, -45)
"""The same upright box around it. They share 20 x 20 of 2 x 2000 - 400: an IoU of 1/9."""
