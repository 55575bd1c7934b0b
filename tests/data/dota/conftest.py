"""A small sound data set in DOTA's format that a test damages in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.dataset import DotaData
from mmdet2tflite.config.names import Fix
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.store.store import Store
from tests.data.conftest import HEIGHT, WIDTH

UPRIGHT = (2, 3, 12, 3, 12, 23, 2, 23)
DIAMOND = (20, 5, 30, 15, 20, 25, 10, 15)


def a_line(corners: Sequence[object] = UPRIGHT, name: str = "ship", difficult: object = 0) -> str:
    return " ".join(map(str, (*corners, name, difficult)))


@dataclass
class DotaSource:
    """Two training images and a validation image of 40x30 with an upright ship each."""

    root: Path
    texts: dict[str, str]

    def save(self) -> "DotaSource":
        for name, text in self.texts.items():
            (self.root / name).with_suffix(".txt").write_text(text)
        return self

    def config(self, fix: Sequence[Fix] = (), **changes: Any) -> DotaData:
        parts = {
            split: {"annotations": f"{split}/labelTxt", "images": f"{split}/images"}
            for split in ("train", "val")
        }
        values = {"kind": "dota", "root": self.root, "fix": tuple(fix), **parts}
        return DotaData.model_validate(values | changes)


@pytest.fixture
def dota(tmp_path: Path) -> DotaSource:
    root = tmp_path / "dota"
    texts = {}
    for number, (split, name) in enumerate((("train", "a"), ("train", "b"), ("val", "c")), start=1):
        for folder in ("images", "labelTxt"):
            (root / split / folder).mkdir(parents=True, exist_ok=True)
        pixels = np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8)
        assert cv2.imwrite(str(root / split / "images" / f"{name}.png"), pixels)
        texts[f"{split}/labelTxt/{name}"] = f"imagesource:GoogleEarth\ngsd:0.15\n{a_line()}\n"
    return DotaSource(root, texts).save()


@pytest.fixture
def build(store: Store, dota: DotaSource) -> Callable[..., Dataset]:
    def run(**options: Any) -> Dataset:
        return DATASET.build(store, dota.save().config(**options), timeout=60)

    return run
