"""What the child is asked that tunes an int8 file. It returns the ``TfliteModel``."""

from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.artifacts import Frozen, TfliteModel
from mmdet2tflite.config.experiment import Tuning


class TuneRequest(Frozen):
    """``model`` is of int8, ``file`` its file; ``target`` is to be written.

    ``teacher`` is the float32 file that both were made of. ``images`` are learnt from and judged
    by, ``check`` compared with LiteRT. ``accuracy_budget``: points of mAP that may be lost,
    estimated on ``judges``.
    """

    model: TfliteModel
    file: Path
    teacher: Path
    target: Path
    images: Sequence[Path]
    check: Sequence[Path]
    judges: Sequence[Path]
    tuning: Tuning
    seed: int
    accuracy_budget: float | None = None
