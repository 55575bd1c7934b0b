"""Boxes by the distances of a cell's point to their sides: RTMDet, FCOS, GFL and FoveaBox.

mmdet 3.3's ``predict_by_feat`` of each, with a ``DistancePointBBoxCoder`` where it has one.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import ModelError
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.runtime.decode.dense import Level, clipped, dense_candidates
from mmdet2tflite.runtime.decode.maps import corners, of_level, softmax
from mmdet2tflite.runtime.decode.types import Detections, Floats

LARGEST_EXPONENT = np.float32(80)
"""exp() of more is near the largest float32."""


def rtmdet_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """RTMDet's candidates. The head has multiplied the distances by the stride already."""
    return dense_candidates(outputs, head, preprocessing, _distances_in_pixels)


def fcos_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """FCOS's candidates: the same, and a score is multiplied by the centerness of its cell."""
    return dense_candidates(outputs, head, preprocessing, _distances_in_pixels, "centerness")


def gfl_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """GFL's candidates.

    The channels are four distributions over 0, 1 … ``reg_max`` strides (left, top, right, bottom);
    a distance is the mean of its own: sum(i softmax(x)_i) stride (``Integral`` of mmdet,
    https://arxiv.org/abs/2006.04388, equation 5).
    """
    return dense_candidates(outputs, head, preprocessing, _mean_distances, box_channels=None)


def foveabox_candidates(
    outputs: Mapping[str, Floats], head: Head, preprocessing: Preprocessing
) -> Detections:
    """FoveaBox's candidates.

    Distances are exp(x) times the ``base_sizes`` of the map, and boxes end at the *last pixel* of
    the input: width - 1, height - 1 (``FoveaHead._bbox_decode``).
    """
    return dense_candidates(outputs, head, preprocessing, _multiples_of_the_base_size)


def _distances_in_pixels(
    raw: Floats, level: Level, priors: NDArray[np.intp], head: Head, _: Preprocessing
) -> Floats:
    return _boxes(raw, level, priors, head)


def _mean_distances(
    raw: Floats, level: Level, priors: NDArray[np.intp], head: Head, _: Preprocessing
) -> Floats:
    if raw.shape[1] % 4:
        raise ModelError(
            f"the output box_{level.stride} has {raw.shape[1]} channels",
            "4 (reg_max + 1): four distributions",
            "the layout must be NCHW; convert the model again",
        )
    distribution = softmax(raw.reshape(len(raw), 4, raw.shape[1] // 4))
    steps = np.arange(distribution.shape[-1], dtype=np.float32)
    return _boxes(distribution @ steps * np.float32(level.stride), level, priors, head)


def _multiples_of_the_base_size(
    raw: Floats, level: Level, priors: NDArray[np.intp], head: Head, preprocessing: Preprocessing
) -> Floats:
    base_size = np.float32(of_level(head.base_sizes, head, level.number, "base_sizes"))
    # An infinite distance would be clipped to the border as well: only the warning is avoided.
    distances = base_size * np.exp(np.minimum(raw, LARGEST_EXPONENT))
    boxes = _boxes(distances, level, priors, head)
    return clipped(boxes, preprocessing.width - 1, preprocessing.height - 1)


def _boxes(distances: Floats, level: Level, points: NDArray[np.intp], head: Head) -> Floats:
    """Left, top, right and bottom distances of the points (j + o, i + o) stride of cells (i, j)."""
    offset = np.float32(head.point_offset * level.stride)
    point = corners(points, level.columns, level.stride) + offset
    return np.concatenate([point - distances[:, :2], point + distances[:, 2:]], axis=1)
