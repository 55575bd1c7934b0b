"""Picture → input tensor, and raw head outputs → boxes: the one decoder of every runtime.

It is also what a user ships, so it needs numpy and OpenCV only. Both directions reproduce mmdet
3.3: ``letterbox`` its ``FixShapeResize(keep_ratio=True)`` bit for bit, ``decode`` its heads'
``predict_by_feat`` followed by mmcv's ``batched_nms``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import DataError, ModelError

type Floats = NDArray[np.float32]
type Integers = NDArray[np.int64]


class HeadValues(Protocol):
    """What a decoder reads of a head: ``artifacts.Head``, or the passport of a shipped file."""

    @property
    def family(self) -> str:
        """Key of ``FAMILIES``."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the maps, finest first."""

    @property
    def score_threshold(self) -> float:
        """Lowest score of a detection."""

    @property
    def nms_iou(self) -> float:
        """Largest IoU of two detections of a class."""

    @property
    def max_detections(self) -> int:
        """Per image."""


class PreprocessingValues(Protocol):
    """``artifacts.Preprocessing``, or the passport of a shipped file."""

    @property
    def width(self) -> int:
        """Of the input, in pixels."""

    @property
    def height(self) -> int:
        """Of the input, in pixels."""

    @property
    def colour_order(self) -> str:
        """``bgr`` or ``rgb``."""

    @property
    def pad_value(self) -> float:
        """What fills the rest of the input."""

    @property
    def mean(self) -> tuple[float, float, float]:
        """Per channel, in the colour order."""

    @property
    def std(self) -> tuple[float, float, float]:
        """Per channel, in the colour order."""


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one image.

    ``boxes`` are x1, y1, x2, y2 (N x 4, float32), ``scores`` (N, float32) lie in 0..1, ``labels``
    (N, int64) are indices into the head's classes.
    """

    boxes: Floats
    scores: Floats
    labels: Integers

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: slice | NDArray[Any]) -> "Detections":
        return Detections(self.boxes[index], self.scores[index], self.labels[index])

    def best(self, count: int) -> "Detections":
        """The ``count`` detections of highest score, best first."""
        return self[np.argsort(-self.scores, kind="stable")[:count]]


def letterbox(image: NDArray[Any], preprocessing: PreprocessingValues) -> tuple[Floats, float]:
    """Make the input tensor of an image (H x W x 3, uint8, BGR).

    1. The scale factor is the largest that fits the image into the input.
    2. Both sides are scaled by it and rounded: the size wanted.
    3. mmcv's ``imrescale`` fits the image into the size wanted *once more* and rounds again: a
       pixel less on one side of every fifth image, and several of a narrow one (997 x 13 into
       320 x 192 becomes 307 x 4, not 320 x 4).
    4. The result lies in the top-left corner, the rest is ``pad_value``.
    5. ``(pixel - mean) / std`` per channel, in the colour order of the network.

    Returns:
        The tensor (1 x 3 x height x width, float32) and the scale factor of rule 1, unrounded, by
        which mmdet divides the boxes found.

    Raises:
        DataError: the image is so narrow that nothing of it would remain.
    """
    height, width = image.shape[:2]
    scale_factor = min(preprocessing.width / width, preprocessing.height / height)
    wanted = _rounded(width, height, scale_factor)
    again = min(max(wanted) / max(width, height), min(wanted) / min(width, height))
    size = _rounded(width, height, again)
    if min(size) < 1:
        raise DataError(
            f"an image of {width} x {height} pixels has no height or width left when it is scaled "
            f"to fit {preprocessing.width} x {preprocessing.height}",
            "images whose shorter side keeps at least one pixel",
            "leave the image out, or cut it",
        )
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    canvas = cv2.copyMakeBorder(
        resized,
        top=0,
        bottom=preprocessing.height - size[1],
        left=0,
        right=preprocessing.width - size[0],
        borderType=cv2.BORDER_CONSTANT,
        value=[preprocessing.pad_value] * 3,
    )
    if preprocessing.colour_order == "rgb":
        canvas = canvas[..., ::-1]
    pixels = canvas.astype(np.float32)
    pixels -= np.asarray(preprocessing.mean, np.float32)
    pixels /= np.asarray(preprocessing.std, np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]), scale_factor


def _rounded(width: int, height: int, scale: float) -> tuple[int, int]:
    return int(width * scale + 0.5), int(height * scale + 0.5)


def decode(
    outputs: Mapping[str, Floats],
    head: HeadValues,
    preprocessing: PreprocessingValues,
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
        ModelError: an output is missing or has another size than input and stride imply.
    """
    found = FAMILIES[head.family](outputs, head, preprocessing)
    # An overflow of exp() gives an infinite box; one of them would spoil the offsets below.
    found = found[np.flatnonzero(np.isfinite(found.boxes).all(axis=1))]
    boxes = found.boxes / np.float32(scale_factor)
    keep = class_aware_nms(boxes, found.scores, found.labels, head.nms_iou, head.max_detections)
    return Detections(boxes[keep], found.scores[keep], found.labels[keep])


def decode_yolox(
    outputs: Mapping[str, Floats], head: HeadValues, preprocessing: PreprocessingValues
) -> Detections:
    """YOLOX's candidates above the score threshold, in pixels of the input.

    For a cell (i, j) of stride s, without the half-cell offset that other heads have:
    centre = (j, i) s + (dx, dy) s, size = exp(dw, dh) s, score = sigmoid(cls) sigmoid(obj), and
    only the best class of a cell counts (``YOLOXHead.predict_by_feat``).
    """
    return _concatenated(
        _yolox_level(outputs, stride, head.score_threshold, preprocessing)
        for stride in head.strides
    )


def _yolox_level(
    outputs: Mapping[str, Floats],
    stride: int,
    threshold: float,
    preprocessing: PreprocessingValues,
) -> Detections:
    rows, columns = preprocessing.height // stride, preprocessing.width // stride
    classes, deltas, objectness = (
        _cells(outputs, f"{meaning}_{stride}", channels, rows, columns)
        for meaning, channels in (("cls", None), ("box", 4), ("obj", 1))
    )
    objectness = _sigmoid(objectness[:, 0])
    # No score exceeds its objectness, so most cells are dropped before their classes are looked at.
    cells = np.flatnonzero(objectness >= np.float32(threshold))
    probabilities = _sigmoid(classes[cells])
    labels = probabilities.argmax(axis=1)
    scores = probabilities[np.arange(len(cells)), labels] * objectness[cells]
    above = scores >= np.float32(threshold)
    cells, labels, scores = cells[above], labels[above], scores[above]
    s = np.float32(stride)
    corner = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32) * s
    centre = deltas[cells, :2] * s + corner
    with np.errstate(over="ignore"):
        half = np.exp(deltas[cells, 2:]) * s / 2
    return Detections(np.concatenate([centre - half, centre + half], axis=1), scores, labels)


FAMILIES: dict[
    str, Callable[[Mapping[str, Floats], HeadValues, PreprocessingValues], Detections]
] = {
    "yolox": decode_yolox,
}


def class_aware_nms(
    boxes: Floats, scores: Floats, labels: Integers, iou_threshold: float, limit: int
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression within each class.

    Each class is moved aside by an offset, in float32, so that boxes of different classes never
    overlap: mmcv's ``batched_nms``. The offsets cost some precision, which is part of its result.

    Args:
        boxes: N x 4, finite.
        iou_threshold: a box goes if its IoU with a better one *exceeds* this.
        limit: how many boxes to keep; greedy suppression finds the best first and stops here.

    Returns:
        Indices of the boxes kept, best first, equal scores in their order.
    """
    if not len(boxes):
        return np.empty(0, np.intp)
    moved = boxes + (labels.astype(np.float32) * (boxes.max() + np.float32(1)))[:, None]
    x1, y1, x2, y2 = moved.T
    areas = (x2 - x1) * (y2 - y1)
    # torchvision compares in double precision; a Python float would be rounded to float32.
    threshold = np.float64(iou_threshold)
    rest = np.argsort(-scores, kind="stable")
    kept: list[np.intp] = []
    while len(rest) and len(kept) < limit:
        best, rest = rest[0], rest[1:]
        kept.append(best)
        width = np.minimum(x2[best], x2[rest]) - np.maximum(x1[best], x1[rest])
        height = np.minimum(y2[best], y2[rest]) - np.maximum(y1[best], y1[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore"):  # 0 / 0 of two boxes without area is no overlap
            iou = shared / (areas[best] + areas[rest] - shared)
        rest = rest[~(iou > threshold)]
    return np.array(kept, np.intp)


def _cells(
    outputs: Mapping[str, Floats], name: str, channels: int | None, rows: int, columns: int
) -> Floats:
    """An output (1, C, rows, columns) as (rows * columns, C), checked."""
    if name not in outputs:
        raise ModelError(f"no output {name}; there are {', '.join(outputs)}", f"an output {name}")
    shape = outputs[name].shape
    count = shape[1] if channels is None and len(shape) == 4 else channels
    if shape != (1, count, rows, columns):
        raise ModelError(
            f"the output {name} has the shape {list(shape)}",
            f"[1, {'classes' if channels is None else channels}, {rows}, {columns}] "
            "from the input size and the stride",
            "check input size and strides; the layout must be NCHW",
        )
    return outputs[name][0].reshape(shape[1], -1).T


def _concatenated(parts: Iterable[Detections]) -> Detections:
    levels = list(parts)
    return Detections(
        np.concatenate([level.boxes for level in levels]),
        np.concatenate([level.scores for level in levels]),
        np.concatenate([level.labels for level in levels]),
    )


def _sigmoid(x: Floats) -> Floats:
    with np.errstate(over="ignore"):  # exp(-x) is infinite for x < -88: the sigmoid is 0 there
        return np.reciprocal(1 + np.exp(-x))
