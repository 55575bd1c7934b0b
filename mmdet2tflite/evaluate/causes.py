"""Why a detection is wrong, and which boxes nothing was found for: the error types of TIDE.

D. Bolya, S. Foley, J. Hays, J. Hoffman: TIDE: A General Toolbox for Identifying Object Detection
Errors. ECCV 2020, section 2.2; foreground IoU 0.5, background IoU 0.1. (Their own package is no
longer maintained.)

1. By descending score, a detection takes the free box of its class that it overlaps most, if their
   IoU is at least 0.5: it is right. This is COCO's matching.
2. One that is not, and at least half of which lies in a crowd of its class, is ignored.
3. Any other is wrong. With the largest IoU that it has with a box of its own class (own) and with
   one of another class (other), the cause is the first of these that holds:
   ``localisation`` 0.1 <= own < 0.5; ``class`` other >= 0.5; ``duplicate`` own >= 0.5, that box was
   taken by a better detection; ``both`` other >= 0.1, neither the class nor the place is right;
   ``background`` there is nothing.
4. A box is ``missed`` if no detection is right about it, and none is wrong about it by its class or
   its place alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.parity.overlap import areas, pairwise_intersection, pairwise_iou
from mmdet2tflite.parity.parity import MATCH_IOU, match
from mmdet2tflite.runtime.decode import Detections

RIGHT, IGNORED, MISSED = "right", "ignored", "missed"
CAUSES = ("class", "localisation", "both", "duplicate", "background", MISSED)
"""In the paper's order. The last is about boxes, the others about detections."""
MENDABLE = ("class", "localisation")
"""Errors by which a box was all but found."""
BACKGROUND_IOU = 0.1
NOTHING = -1


@dataclass(frozen=True, eq=False)
class ClassifiedDetections:
    """Rules 1 to 3 for the detections of one image, in their order.

    ``causes`` holds ``right``, ``ignored`` or the cause; ``targets`` the index of the box that it
    is about, -1 for ``both``, ``background`` and ``ignored``.
    """

    causes: NDArray[np.str_]
    targets: NDArray[np.intp]
    boxes: int

    def __getitem__(self, kept: NDArray[Any]) -> "ClassifiedDetections":
        """As if there were only these detections: right for a choice by score."""
        return ClassifiedDetections(self.causes[kept], self.targets[kept], self.boxes)

    def about(self, causes: Iterable[str]) -> set[int]:
        """The boxes that detections of these kinds are about."""
        return set(self.targets[np.isin(self.causes, list(causes))].tolist())

    def missed(self) -> list[int]:
        """Rule 4."""
        touched = self.about((RIGHT, *MENDABLE))
        return [box for box in range(self.boxes) if box not in touched]

    def count(self, cause: str) -> int:
        """Of detections, or of missed boxes."""
        return len(self.missed()) if cause == MISSED else int((self.causes == cause).sum())


def classify_detections(
    truth: Detections, crowds: Detections, found: Detections
) -> ClassifiedDetections:
    """Apply the rules to one image; any of the three may be empty, and all are of one kind."""
    iou = pairwise_iou(found, truth)
    iou = np.pad(iou, ((0, 0), (0, 1)))  # a box that overlaps nothing, for images without any
    same = np.pad(found.labels[:, None] == truth.labels, ((0, 0), (0, 1)))
    own, other = np.where(same, iou, 0), np.where(same, 0, iou)
    own_best, other_best = own.max(axis=1), other.max(axis=1)
    pairs = match(found, truth)
    right = np.zeros(len(found), bool)
    right[list(pairs)] = True
    rules = {
        RIGHT: right,
        IGNORED: _in_crowd(found, crowds),
        "localisation": (own_best >= BACKGROUND_IOU) & (own_best < MATCH_IOU),
        "class": other_best >= MATCH_IOU,
        "duplicate": own_best >= MATCH_IOU,
        "both": other_best >= BACKGROUND_IOU,
    }
    causes = np.select(list(rules.values()), list(rules), "background")
    of_own = (causes == "localisation") | (causes == "duplicate")
    targets = np.where(of_own, own.argmax(axis=1), NOTHING)
    targets = np.where(causes == "class", other.argmax(axis=1), targets)
    for detection, (box, _) in pairs.items():
        targets[detection] = box
    return ClassifiedDetections(causes, targets, len(truth))


def _in_crowd(found: Detections, crowds: Detections) -> NDArray[np.bool_]:
    """Rule 2, by the share of the detection's own area, as COCO measures overlap with a crowd."""
    shared = pairwise_intersection(found, crowds)
    shared[found.labels[:, None] != crowds.labels] = 0
    inside = shared >= MATCH_IOU * areas(found)[:, None]
    return np.asarray((inside & (shared > 0)).any(axis=1))
