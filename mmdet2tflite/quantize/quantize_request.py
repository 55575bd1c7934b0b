"""What the child is asked that quantises a file. It returns the ``TfliteModel``."""

from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.artifacts import Frozen, TfliteModel
from mmdet2tflite.config.names import PrecisionName


class QuantizeRequest(Frozen):
    """``model`` is of float32, ``file`` its file; ``target`` is to be written.

    ``calibration`` are images to take ranges of activations from, ``images`` those to compare on.
    ``accuracy_budget``: points of mAP that may be lost, estimated on the former.
    """

    model: TfliteModel
    file: Path
    precision: PrecisionName
    target: Path
    calibration: Sequence[Path]
    images: Sequence[Path]
    accuracy_budget: float | None = None
