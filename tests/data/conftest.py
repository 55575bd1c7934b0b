"""A small sound data set in COCO format that a test damages in one place."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.dataset import CocoData, CocoSplit
from mmdet2tflite.config.names import Fix
from mmdet2tflite.data.prepare import DATASET, REPORT
from mmdet2tflite.data.problems import Problem
from mmdet2tflite.errors import DataError
from mmdet2tflite.store.store import Store

WIDTH, HEIGHT = 40, 30


@dataclass
class Source:
    """Two training images and a validation image of 40x30; one box each; cat is 7, dog is 3."""

    root: Path
    train: dict[str, Any]
    val: dict[str, Any]

    def save(self) -> "Source":
        for split in ("train", "val"):
            (self.root / f"{split}.json").write_text(json.dumps(getattr(self, split)))
        return self

    def config(self, fix: Sequence[Fix] = (), classes: Sequence[str] | None = None) -> CocoData:
        return CocoData(
            kind="coco",
            root=self.root,
            train=CocoSplit(annotations=Path("train.json"), images=Path("images")),
            val=CocoSplit(annotations=Path("val.json"), images=Path("images")),
            fix=tuple(fix),
            classes=None if classes is None else tuple(classes),
        )


def sound_source(root: Path) -> Source:
    (root / "images").mkdir(parents=True)
    categories = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]

    def split(names: Sequence[str], first_id: int) -> dict[str, Any]:
        images, annotations = [], []
        for number, name in enumerate(names, start=first_id):
            pixels = np.full((HEIGHT, WIDTH, 3), 10 * number, np.uint8)
            assert cv2.imwrite(str(root / "images" / name), pixels)
            images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
            annotations.append(
                {"id": number, "image_id": number, "category_id": 7, "bbox": [1, 2, 10, 20]}
            )
        entries = {"images": images, "annotations": annotations, "categories": categories}
        return dict(json.loads(json.dumps(entries)))  # no list shared between the splits

    return Source(root, split(["a.png", "b.png"], 1), split(["c.png"], 3)).save()


def facts(problems: list[Problem]) -> list[tuple[Any, ...]]:
    """What a test asserts of problems: kind, split, file, id."""
    return [(problem.kind, problem.split, problem.file, problem.id) for problem in problems]


def add_box(source: Source, **changes: Any) -> None:
    """One more box in a.png, beside the sound one."""
    box = {"id": 9, "image_id": 1, "category_id": 3, "bbox": [5, 5, 5, 5]} | changes
    source.train["annotations"].append(box)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return sound_source(tmp_path / "source")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def build(store: Store, source: Source) -> Callable[..., Dataset]:
    """Save the source and run the stage on it."""

    def run(fix: Sequence[Fix] = (), classes: Sequence[str] | None = None) -> Dataset:
        return DATASET.build(store, source.save().config(fix, classes), timeout=60)

    return run


@pytest.fixture
def refuse(build: Callable[..., Dataset], store: Store) -> Callable[..., list[Problem]]:
    """Run the stage, which must refuse, and return the problems in the report it left."""

    def run(**options: Any) -> list[Problem]:
        with pytest.raises(DataError):
            build(**options)
        assert not list(Path(store.root).glob("dataset/*")), "a refused data set was published"
        (report,) = store.work.glob(f"dataset/*/{REPORT}")
        return [Problem.model_validate(entry) for entry in json.loads(report.read_text())]

    return run


@pytest.fixture
def contents(store: Store) -> Callable[..., dict[str, Any]]:
    """A file of a data set in the store, from JSON."""

    def read(dataset: Dataset, name: str) -> Any:
        return json.loads(store.path(dataset, name).read_text())

    return read
