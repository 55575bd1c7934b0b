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

from mmdet2tflite.evaluate.accuracy import average_precision
from mmdet2tflite.evaluate.causes import (
    CAUSES,
    IGNORED,
    MENDABLE,
    MISSED,
    RIGHT,
    ClassifiedDetections,
)
from mmdet2tflite.runtime.decode import Detections


@dataclass(frozen=True, eq=False)
class Ranking:
    """All detections of a data set, the highest score first, and how many boxes each class has."""

    labels: NDArray[np.int64]
    right: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    boxes: NDArray[np.int64]

    def mean_average_precision(self, classes: NDArray[np.intp]) -> float:
        """COCO's, at the one IoU that says what is right; 1 for a class without boxes."""
        values = []
        for label in classes:
            own, boxes = self.labels == label, int(self.boxes[label])
            right, counted = self.right[None, own], self.counted[None, own]
            values.append(float(average_precision(right, counted, boxes)) if boxes else 1.0)
        return float(np.mean(values))


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
    box_labels = np.concatenate([truth[i].labels for i in images])
    if not len(box_labels):
        return {}
    first = dict(zip(images, np.cumsum([0, *(len(truth[i]) for i in images)]), strict=False))
    order = np.argsort(-np.concatenate([found[i].scores for i in images]), kind="stable")
    causes = np.concatenate([classified[i].causes for i in images])[order]
    targets = np.concatenate(
        [np.where((t := classified[i].targets) < 0, t, t + first[i]) for i in images]
    )[order]
    plain = Ranking(
        np.concatenate([found[i].labels for i in images])[order],
        causes == RIGHT,
        causes != IGNORED,
        np.bincount(box_labels, minlength=classes),
    )
    best = _best(causes, targets)
    mended = {}
    for cause in CAUSES:
        wrong = causes == cause
        good = wrong & best
        mended[cause] = replace(plain, counted=plain.counted & (good | ~wrong))
        if cause == MISSED:
            touched = targets[np.isin(causes, [RIGHT, *MENDABLE])]
            missed = np.bincount(np.delete(box_labels, touched), minlength=classes)
            mended[cause] = replace(plain, boxes=plain.boxes - missed)
        elif cause in MENDABLE:
            labels = np.where(good, box_labels[np.maximum(targets, 0)], plain.labels)
            mended[cause] = replace(mended[cause], labels=labels, right=plain.right | good)
    asked = np.flatnonzero(plain.boxes)
    value = plain.mean_average_precision(asked)
    return {c: ranking.mean_average_precision(asked) - value for c, ranking in mended.items()}


def _best(causes: NDArray[np.str_], targets: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Rule 1: the detections that would find their box, each the first that is about it."""
    best = np.zeros(len(causes), bool)
    found = np.isin(targets, targets[causes == RIGHT])
    candidates = np.flatnonzero(np.isin(causes, MENDABLE) & ~found)
    _, first = np.unique(targets[candidates], return_index=True)
    best[candidates[first]] = True
    return best
