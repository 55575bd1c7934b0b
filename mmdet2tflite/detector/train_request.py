"""What the child is asked that trains. It returns the ``Checkpoint``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.store.manifest import LOGS

CURVES = f"{LOGS}/curves.json"
"""One record per epoch and one per validation: ``epoch``, ``iteration``, named values."""


class DataPaths(Frozen):
    """A checked data set as absolute paths: COCO json and image folder of each split."""

    classes: tuple[str, ...]
    train: tuple[Path, Path]
    val: tuple[Path, Path]


class Trainable(Frozen):
    """What mmdet's config is made of."""

    detector: DetectorConfig
    training: Training
    data: DataPaths


class TrainRequest(Trainable):
    """Weights, config and all that an interrupted training needs go into ``work``.

    ``origin`` is what the key of the training digests.
    """

    origin: Mapping[str, Any]
    work: Path
