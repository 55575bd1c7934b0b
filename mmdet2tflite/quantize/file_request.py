"""What the child is asked that quantises a file that was converted by itself."""

from pathlib import Path

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.config.names import PrecisionName


class FileRequest(Frozen):
    """``source`` is of float32, ``target`` is to be written, ``layers`` beside it if calibrated.

    ``calibration`` and ``samples`` are ``.npz`` files, with an array for each input (samples x the
    input's shape, by name, as the file takes it): to take ranges from, and to compare on.
    """

    source: Path
    precision: PrecisionName
    target: Path
    layers: Path
    calibration: Path | None
    samples: Path


class Losing(Frozen):
    """A layer, and its output's signal-to-noise ratio in dB."""

    layer: str
    operator: str
    snr_db: float


class FileResult(Frozen):
    """Errors against the float32 file, and the layers that lose most.

    ``unlike``: what stays real because it joins unlike ranges; empty if nothing does.
    """

    metrics: dict[str, float]
    losing: list[Losing]
    unlike: str = ""
