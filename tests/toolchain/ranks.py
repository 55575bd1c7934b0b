"""A short training by two processes, and what its ranks report of it (rank_probe.py)."""

import json
from dataclasses import dataclass
from typing import Any

from mmdet2tflite.artifacts import Checkpoint
from mmdet2tflite.config.dataset import DigitsData
from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector.train import TRAIN, TrainConfig, read_curves
from mmdet2tflite.store.store import Store
from tests.toolchain.golden import GOLDEN, SIZE, TIMEOUT

PROBE = "tests.toolchain.rank_probe"
IMAGES, EPOCHS = 16, 2
DIGITS = DigitsData(kind="digits", size=SIZE, train_images=IMAGES, val_images=9)
"""An odd number to validate on: one rank gets an image more, which must not count twice."""
SETTINGS: dict[str, Any] = {
    "epochs": EPOCHS,
    "batch_size": 8,
    "val_interval": 1,
    "workers": 0,
    "device": "cpu",
    "checkpoint": GOLDEN,
    "learning_rate": 1e-2,
    "warmup_iterations": 1,
    "ema_momentum": 0.5,
}


@dataclass(frozen=True)
class Trained:
    store: Store
    checkpoint: Checkpoint

    def ranks(self) -> list[dict[str, Any]]:
        """What the probe left of each rank on this machine."""
        files = sorted(self.store.path(self.checkpoint).glob("rank_*.json"))
        return [json.loads(file.read_text()) for file in files]

    def curves(self) -> list[dict[str, float]]:
        return read_curves(self.store, self.checkpoint)


def training(**settings: object) -> Training:
    return Training.model_validate({**SETTINGS, **settings})


def train(store: Store, **settings: object) -> Trained:
    dataset = DATASET.build(store, DIGITS, timeout=TIMEOUT)
    config = TrainConfig(detector=DetectorConfig(input_size=SIZE), training=training(**settings))
    return Trained(store, TRAIN.build(store, config, timeout=TIMEOUT, dataset=dataset))
