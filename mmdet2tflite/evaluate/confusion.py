"""Which class is taken for which: supervision's confusion matrix."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.evaluate.image_score import SHOWN_SCORE, ImageScore
from mmdet2tflite.parity.parity import MATCH_IOU
from mmdet2tflite.runtime.decode import Detections


def confusion_matrix(scores: Sequence[ImageScore], classes: Sequence[str]) -> NDArray[np.int32]:
    """Count pairs of a box and a detection that overlap by an IoU over 0.5.

    Pairs of one class are formed first, then by falling IoU; each box and each detection is
    counted once.

    Returns:
        (classes + 1) x (classes + 1). A row is what there is, a column what was found; the last
        row counts detections where there is no box left, the last column boxes not found.
    """
    from supervision.metrics import MetricTarget
    from supervision.metrics.detection import ConfusionMatrix  # more than a second

    oriented = any(score.found.oriented is not None for score in scores)
    found = [
        np.column_stack([_places(s.found), s.found.labels, s.found.scores]).astype(np.float32)
        for s in scores
    ]
    truth = [np.column_stack([_places(s.truth), s.truth.labels]).astype(np.float32) for s in scores]
    matrix = ConfusionMatrix.from_tensors(
        found,
        truth,
        list(classes),
        conf_threshold=SHOWN_SCORE,
        iou_threshold=MATCH_IOU,
        metric_target=MetricTarget.ORIENTED_BOUNDING_BOXES if oriented else MetricTarget.BOXES,
    ).matrix
    return np.asarray(matrix)


def _places(detections: Detections) -> NDArray[np.floating]:
    """As supervision wants them: x1, y1, x2, y2, or all corners of an oriented box."""
    if detections.oriented is None:
        return detections.boxes
    return detections.corners.reshape(-1, 8)
