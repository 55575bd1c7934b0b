"""What goes into a decoder and what comes out of it."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float32]
type Integers = NDArray[np.int64]


class HeadValues(Protocol):
    """What a decoder reads of a head: ``artifacts.Head``, or the passport of a shipped file."""

    @property
    def family(self) -> str | None:
        """Key of ``FAMILIES``; None: there is no decoder."""

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
    def max_candidates(self) -> int | None:
        """Per map, before non-maximum suppression; None: no limit."""

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
