"""What goes into a decoder and what comes out of it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.runtime.decode.corners import corners_of

type Floats = NDArray[np.float32]
type Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one image.

    ``boxes`` are x1, y1, x2, y2 (N x 4, float32), ``scores`` (N, float32) lie in 0..1, ``labels``
    (N, int64) are indices into the head's classes.

    Of a detector of oriented boxes, ``oriented`` has x, y of the centre, width, height and angle in
    radians, clockwise (N x 5, float32), and ``boxes`` are the upright boxes around them. Of others
    it is None.
    """

    boxes: Floats
    scores: Floats
    labels: Integers
    oriented: Floats | None = field(default=None, kw_only=True)

    @property
    def corners(self) -> NDArray[np.float64]:
        """x and y of the four corners of each box, clockwise: N x 4 x 2."""
        if self.oriented is not None:
            return corners_of(self.oriented)
        return self.boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].astype(np.float64).reshape(-1, 4, 2)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: slice | NDArray[Any]) -> "Detections":
        oriented = None if self.oriented is None else self.oriented[index]
        return Detections(
            self.boxes[index], self.scores[index], self.labels[index], oriented=oriented
        )

    def best(self, count: int) -> "Detections":
        """The ``count`` detections of highest score, best first."""
        return self[np.argsort(-self.scores, kind="stable")[:count]]
