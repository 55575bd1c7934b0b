"""How much the boxes of two sets of detections overlap: the boxes as they are, upright or oriented.

Both sets are of one kind: an oriented box has no place among upright ones, for the upright box
around it is another one.
"""

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.runtime.decode import Detections, Floats
from mmdet2tflite.runtime.decode.corners import areas_of
from mmdet2tflite.runtime.decode.rotated import rotated_intersection


def pairwise_iou(a: Detections, b: Detections) -> NDArray[np.float64]:
    """Intersection over union of every box of ``a`` with every one of ``b``: N x M.

    Raises:
        ValueError: one has oriented boxes, and the other has not.
    """
    shared = pairwise_intersection(a, b)
    union = areas(a)[:, None] + areas(b) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def pairwise_intersection(a: Detections, b: Detections) -> NDArray[np.float64]:
    """Area that every box of ``a`` shares with every one of ``b``: N x M.

    Raises:
        ValueError: one has oriented boxes, and the other has not.
    """
    if a.oriented is not None and b.oriented is not None:
        return rotated_intersection(a.oriented, b.oriented)
    if a.oriented is not None or b.oriented is not None:
        raise ValueError("oriented boxes cannot be compared with upright ones")
    return _upright_intersection(a.boxes, b.boxes)


def areas(detections: Detections) -> NDArray[np.float64]:
    """Of every box: N."""
    if detections.oriented is not None:
        return areas_of(detections.oriented)
    boxes = detections.boxes.astype(np.float64)
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))


def _upright_intersection(a: Floats, b: Floats) -> NDArray[np.float64]:
    first, second = a.astype(np.float64)[:, None], b.astype(np.float64)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(
        first[..., :2], second[..., :2]
    )
    return np.asarray(np.clip(sides, 0, None).prod(axis=-1))
