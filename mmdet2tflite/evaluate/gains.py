"""What mending one kind of error would gain: TIDE's ΔAP (Bolya et al. 2020, section 2.3).

1. An error of ``class`` or ``localisation`` is mended by giving the detection its box's class or
   place. Of several about one box, only that of the highest score is; the others, and those about
   a box that was found all the same, are taken away.
2. Detections of ``both``, ``duplicate`` and ``background`` are taken away.
3. ``missed`` boxes are not asked for.

All detections take part, whatever their score: average precision is about all of them. A class
whose every box was missed has an average precision of 1 by rule 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.evaluate.causes import (
    CAUSES,
    IGNORED,
    MENDABLE,
    MISSED,
    RIGHT,
    ClassifiedDetections,
)
from mmdet2tflite.runtime.decode import Detections

RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Ranking:
    """All detections of a data set, and how many boxes each class has."""

    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    boxes: NDArray[np.int64]

    def without(self, gone: NDArray[np.bool_]) -> "Ranking":
        """All but these detections."""
        kept = ~gone
        return replace(
            self, labels=self.labels[kept], scores=self.scores[kept], right=self.right[kept]
        )

    def mean_average_precision(self, classes: NDArray[np.intp]) -> float:
        """COCO's, at the one IoU that says what is right."""
        found = [self.labels == label for label in classes]
        values = [
            average_precision(self.scores[mask], self.right[mask], int(self.boxes[label]))
            for label, mask in zip(classes, found, strict=True)
        ]
        return float(np.mean(values))


def average_precision(scores: NDArray[np.float32], right: NDArray[np.bool_], boxes: int) -> float:
    """Mean of the interpolated precision at the recalls 0, 0.01 … 1; 1 if there are no boxes."""
    if not boxes:
        return 1.0
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(right[order])
    precision = found / np.arange(1, len(order) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(found / boxes, RECALLS)  # their number, for recalls beyond the last
    return float(np.append(best_from_here, 0)[reached].mean())


def gains(
    truth: Mapping[int, Detections],
    found: Mapping[int, Detections],
    classified: Mapping[int, ClassifiedDetections],
    classes: int,
) -> dict[str, float]:
    """By cause: how much higher the mean average precision at IoU 0.5 would be without it.

    Args:
        truth, found, classified: by image id; the images are those of ``classified``.
        classes: their number.

    Returns:
        Nothing if there are no boxes.
    """
    images = list(classified)
    first = dict(zip(images, np.cumsum([0, *(len(truth[i]) for i in images)]), strict=False))
    box_labels = np.concatenate([truth[i].labels for i in images])
    boxes = np.bincount(box_labels, minlength=classes)
    if not len(box_labels):
        return {}
    asked = np.flatnonzero(boxes)
    causes = np.concatenate([classified[i].causes for i in images])
    targets = np.concatenate(
        [np.where((t := classified[i].targets) < 0, t, t + first[i]) for i in images]
    )
    plain = Ranking(
        np.concatenate([found[i].labels for i in images]),
        np.concatenate([found[i].scores for i in images]),
        causes == RIGHT,
        boxes,
    )
    plain_value = plain.without(causes == IGNORED).mean_average_precision(asked)
    best = _best(causes, targets, plain.scores)
    result = {}
    for cause in CAUSES:
        wrong = causes == cause
        mended, gone = plain, wrong | (causes == IGNORED)
        if cause == MISSED:
            touched = targets[np.isin(causes, [RIGHT, *MENDABLE])]
            missed = np.delete(box_labels, touched)
            mended = replace(plain, boxes=boxes - np.bincount(missed, minlength=classes))
        elif cause in MENDABLE:
            good = wrong & best
            labels = np.where(good, box_labels[np.maximum(targets, 0)], plain.labels)
            mended = replace(plain, labels=labels, right=plain.right | good)
            gone &= ~good
        result[cause] = mended.without(gone).mean_average_precision(asked) - plain_value
    return result


def _best(
    causes: NDArray[np.str_], targets: NDArray[np.intp], scores: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Rule 1: the detections that would find their box."""
    best = np.zeros(len(causes), bool)
    taken = set(targets[causes == RIGHT].tolist())
    candidates = np.flatnonzero(np.isin(causes, MENDABLE))
    for i in candidates[np.argsort(-scores[candidates], kind="stable")].tolist():
        box = int(targets[i])
        best[i] = box not in taken
        taken.add(box)
    return best
