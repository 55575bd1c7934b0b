"""What goes into a decoder and what comes out of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float32]
type Integers = NDArray[np.int64]


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
