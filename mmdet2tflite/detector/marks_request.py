"""What the child is asked that lists the marks of a detector: it returns each ``Mark``."""

from dataclasses import dataclass
from pathlib import Path

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.config.experiment import DetectorConfig, Training


@dataclass(frozen=True)
class Mark:
    """One tensor at one mark. Where a mark has several, a cut takes them all.

    Args:
        mark: as a deploy config writes it, ``function:input`` or ``function[1]:output``.
        tensor: its name in the graph that is cut there.
        type: of the elements, as ONNX calls it.
        shape: of the tensor, batch 1.
    """

    mark: str
    tensor: str
    type: str
    shape: tuple[int, ...]


class Network(Frozen):
    """What an experiment says of its network."""

    detector: DetectorConfig
    training: Training
    classes: tuple[str, ...]


class MarksRequest(Frozen):
    """``network`` may be the file of a complete mmdet config; ``root`` is the project's."""

    network: Path | Network
    root: Path
    work: Path
