"""A small sound data set in YOLO format that a test damages in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.dataset import YoloData
from mmdet2tflite.config.names import Fix
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.store.store import Store
from tests.data.conftest import HEIGHT, WIDTH

SOUND = "1 0.5 0.4 0.5 0.4"
"""Of 40x30: centre at 20, 12; 20 wide and 12 high."""


@dataclass
class YoloSource:
    """Two training images and a validation image of 40x30 with a dog each."""

    root: Path
    labels: dict[str, str] = field(default_factory=dict)
    data: Any = None

    def save(self) -> "YoloSource":
        (self.root / "data.yaml").write_text(yaml.safe_dump(self.data))
        for name, text in self.labels.items():
            path = self.root / f"labels/{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def config(self, fix: Sequence[Fix] = (), **changes: Any) -> YoloData:
        values = {"kind": "yolo", "data": self.root / "data.yaml", "fix": tuple(fix)}
        return YoloData.model_validate(values | changes)


@pytest.fixture
def source(tmp_path: Path) -> YoloSource:
    root = tmp_path / "set"
    for number, name in enumerate(("train/a", "train/b", "val/c"), start=1):
        path = root / f"images/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8))
    labels = dict.fromkeys(("train/a", "train/b", "val/c"), f"{SOUND}\n")
    data = {"train": "images/train", "val": "images/val", "names": ["cat", "dog"]}
    return YoloSource(root, labels, data).save()


@pytest.fixture
def build(store: Store, source: YoloSource) -> Callable[..., Dataset]:
    def run(**options: Any) -> Dataset:
        return DATASET.build(store, source.save().config(**options), timeout=60)

    return run
