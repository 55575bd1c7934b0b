"""What the children of the commands are asked that make nothing for the store: preview, marks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.detector.pipeline_checks import Caution
from mmdet2tflite.detector.train_request import Trainable


class PreviewRequest(Trainable):
    """How many ``images`` to show, chosen and augmented by ``seed``; pictures go into ``work``."""

    images: int
    seed: int
    work: Path


class PreviewResult(Frozen):
    """``phases`` as in preview.json, and what is probably wrong with their pipelines."""

    phases: list[dict[str, Any]]
    cautions: list[Caution]


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


class MarksRequest(Frozen):
    """``network`` may be the file of a complete mmdet config; ``root`` is the project's.

    Each ``Mark`` is returned.
    """

    network: Path | Trainable
    root: Path
    work: Path
