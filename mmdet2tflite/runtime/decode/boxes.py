"""Raw head outputs → boxes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.corners import upright
from mmdet2tflite.runtime.decode.families import FAMILIES
from mmdet2tflite.runtime.decode.nms import class_aware_nms
from mmdet2tflite.runtime.decode.rotated import class_aware_rotated_nms
from mmdet2tflite.runtime.decode.types import (
    Detections,
    Floats,
)


def decode(
    outputs: Mapping[str, Floats],
    head: Head,
    preprocessing: Preprocessing,
    scale_factor: float,
) -> Detections:
    """Turn a network's raw outputs for one image into detections.

    Args:
        outputs: by meaning and stride (``cls_8``), NCHW with N = 1, as they leave the head.
        head: thresholds, strides and family.
        preprocessing: the input size that the maps must fit.
        scale_factor: as returned by ``letterbox``.

    Returns:
        At most ``head.max_detections``, best first, in pixels of the original image. Boxes may
        reach beyond the image, as mmdet's do.

    Raises:
        ModelError: there is no decoder, or an output is missing or has another size than input and
            stride imply.
    """
    if head.family not in FAMILIES:
        raise ModelError(
            f"no decoder for the family {head.family}", f"one of {', '.join(FAMILIES)}"
        )
    found = FAMILIES[head.family].candidates(outputs, head, preprocessing)
    # An overflow of exp() gives an infinite box; one of them would spoil the offsets below.
    found = found[np.flatnonzero(np.isfinite(found.boxes).all(axis=1))]
    if found.oriented is not None:
        return _best_oriented(found, found.oriented, head, scale_factor)
    boxes = found.boxes / np.float32(scale_factor)
    keep = class_aware_nms(boxes, found.scores, found.labels, head.nms_iou, head.max_detections)
    return replace(found, boxes=boxes)[keep]


def _best_oriented(
    found: Detections, oriented: Floats, head: Head, scale_factor: float
) -> Detections:
    scaled = oriented.copy()
    scaled[:, :4] /= np.float32(scale_factor)
    keep = class_aware_rotated_nms(
        scaled, found.scores, found.labels, head.nms_iou, head.max_detections
    )
    return replace(found, boxes=upright(scaled), oriented=scaled)[keep]
