"""What the child is asked that shows images as a training would see them, and what it returns."""

from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.detector.pipeline_checks import Caution
from mmdet2tflite.detector.train_request import DataPaths


class PreviewRequest(Frozen):
    """How many ``images`` to show, chosen and augmented by ``seed``; pictures go into ``work``."""

    detector: DetectorConfig
    training: Training
    data: DataPaths
    images: int
    seed: int
    work: Path


class PreviewResult(Frozen):
    """``phases`` as in preview.json, and what is probably wrong with their pipelines."""

    phases: list[dict[str, Any]]
    cautions: list[Caution]
