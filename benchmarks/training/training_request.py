"""What the child is asked that trains for a benchmark, and what it returns."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.detector.train_request import DataPaths

Way = Literal["stock", "mmdet2tflite"]
WARMUP = 5
"""Iterations that do not count."""


class TrainingRequest(Frozen):
    """One short training on so many threads, its files in ``work``."""

    way: Way
    threads: int
    detector: DetectorConfig
    training: Training
    data: DataPaths
    work: Path


class Trained(Frozen):
    """Seconds and loss of every iteration."""

    seconds: Sequence[float]
    loss: Sequence[float]

    @property
    def per_iteration(self) -> float:
        """Median of seconds, without the first iterations."""
        return statistics.median(self.seconds[WARMUP:])
