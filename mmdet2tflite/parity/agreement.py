"""How well two models' detections agree, and what that tells of a loss of mAP, without labels.

    agreement = mean over IoU thresholds 0.50, 0.55 … 0.95 of  2 pairs / (detections of both)

where detections over a score of 0.3 count, and a pair is of one class and overlaps at least so
much; the pairs that overlap most are made first. That is Dice's coefficient, or the F1 score of one
model's detections with the other's for the truth.

    loss = 60 (1 - agreement)^2.4    points of mAP

is a fit to files of known loss, none of them below 0 (docs/decisions/0016). It is no straight line,
because of the detections in which two models differ some were wrong before.
"""

from collections.abc import Mapping

import numpy as np

from mmdet2tflite.parity.overlap import pairwise_iou
from mmdet2tflite.parity.parity import COUNTED_SCORE
from mmdet2tflite.runtime.decode import Detections

THRESHOLDS = np.arange(50, 100, 5) / 100
"""COCO's, of IoU."""
LARGEST_LOSS, EXPONENT = 60.0, 2.4


def agreement(first: Mapping[int, Detections], second: Mapping[int, Detections]) -> float:
    """From 0, nothing in common, to 1; 1 if neither finds anything.

    Args:
        first, second: detections by image; the same images and one kind of boxes.
    """
    pairs, detections = np.zeros(len(THRESHOLDS)), 0
    for image, found in first.items():
        a, b = (side[side.scores >= COUNTED_SCORE] for side in (found, second[image]))
        detections += len(a) + len(b)
        if not len(a) or not len(b):
            continue
        overlap = pairwise_iou(a, b) * (a.labels[:, None] == b.labels)
        while overlap.size and (largest := overlap.max()) >= THRESHOLDS[0]:
            pairs += largest >= THRESHOLDS
            i, j = np.unravel_index(overlap.argmax(), overlap.shape)
            overlap[i], overlap[:, j] = 0, 0
    return float((2 * pairs / detections).mean()) if detections else 1.0


def estimated_loss(agreed: float) -> float:
    """Points of mAP that an agreement of this much costs."""
    return float(LARGEST_LOSS * (1 - agreed) ** EXPONENT)
