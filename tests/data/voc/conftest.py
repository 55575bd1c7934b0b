"""A small sound data set in Pascal VOC format that a test damages in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.dataset import VocData
from mmdet2tflite.config.names import Fix
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.store.store import Store
from tests.data.conftest import HEIGHT, WIDTH

SIZE = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"


def an_object(name: str = "cat", box: Sequence[object] = (2, 3, 11, 22), extra: str = "") -> str:
    corners = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    inside = "".join(f"<{tag}>{value}</{tag}>" for tag, value in corners)
    return f"<object><name>{name}</name>{extra}<bndbox>{inside}</bndbox></object>"


def an_xml(*objects: str, size: str = SIZE) -> str:
    return f"<annotation>\n{size}\n{''.join(objects)}\n</annotation>"


@dataclass
class VocSource:
    """Two training images and a validation image of 40x30 with a cat each: pixels 2 to 11 across
    and 3 to 22 down, counted from 1."""

    root: Path
    xml: dict[str, str] = field(default_factory=dict)

    def save(self) -> "VocSource":
        for name, text in self.xml.items():
            (self.root / f"Annotations/{name}.xml").write_text(text)
        return self

    def config(self, fix: Sequence[Fix] = (), **changes: Any) -> VocData:
        sets = {split: {"image_set": f"ImageSets/Main/{split}.txt"} for split in ("train", "val")}
        values = {"kind": "voc", "root": self.root, "fix": tuple(fix), **sets}
        return VocData.model_validate(values | changes)


@pytest.fixture
def voc(tmp_path: Path) -> VocSource:
    root = tmp_path / "voc"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for number, name in enumerate("abc", start=1):
        pixels = np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8)
        assert cv2.imwrite(str(root / f"JPEGImages/{name}.png"), pixels)
    (root / "ImageSets/Main/train.txt").write_text("b\na\n")
    (root / "ImageSets/Main/val.txt").write_text("c\n")
    return VocSource(root, {name: an_xml(an_object()) for name in "abc"}).save()


@pytest.fixture
def build(store: Store, voc: VocSource) -> Callable[..., Dataset]:
    def run(**options: Any) -> Dataset:
        return DATASET.build(store, voc.save().config(**options), timeout=60)

    return run
