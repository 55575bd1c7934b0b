"""A project whose main path only says what it would have made; the rest of it is real."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from flows import retrain as module
from mmdet2tflite.artifacts import (
    Artifact,
    Checkpoint,
    Comparison,
    Dataset,
    Report,
    Split,
    TfliteModel,
)
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.evaluate.accuracy import accuracy
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.passport import Head, Preprocessing
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.store.store import Store
from tasks.tracking.registry import Registry
from tasks.tracking.runs import tracked_run

IMAGES = tuple(range(1, 13))
BOX = [10.0, 10.0, 50.0, 60.0]
"""In every image, x1, y1, x2, y2."""
CLASSES = ("cat",)
FILE = "explicit · onnx2tf · float32"


def head(classes=CLASSES):
    return Head(
        family="yolox",
        classes=classes,
        strides=(8,),
        score_threshold=0.01,
        nms_iou=0.6,
        max_detections=100,
    )


@dataclass
class World:
    """A project in a folder. ``finds`` is in how many images the next network finds the box."""

    folder: Path
    tracking: Path
    finds: int = 6
    latency: float = 10.0
    classes: tuple[str, ...] = CLASSES
    data: str = "as they were"
    trainings: list[list[str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.file = self.folder / "experiment.yaml"
        self.name = self.folder.name
        places = f"store: {self.folder / 'store'}\ntracking: {self.tracking}\n"
        self.file.write_text(f"name: {self.name}\ndataset: {{kind: digits}}\n{places}")
        self.store = Store(self.folder / "store")

    def keep(self, artifact: Artifact, key: str, **files: str) -> Artifact:
        def make(work: Path) -> Artifact:
            for name, content in files.items():
                (work / name.replace("_", ".")).write_text(content)
            return artifact

        return self.store.build(artifact.kind, key, make, origin={})

    def dataset(self, *_: object) -> Dataset:
        cv2.imwrite(str(self.folder / "photo.png"), np.zeros((90, 90, 3), np.uint8))
        split = Split(
            annotations="val.json",
            image_root=str(self.folder),
            images=12,
            boxes=12,
            images_digest="",
        )
        dataset = Dataset(classes=self.classes, train=split, val=split)
        x, y, right, bottom = BOX
        truth = {
            "images": [
                {"id": i, "file_name": "photo.png", "width": 90, "height": 90} for i in IMAGES
            ],
            "annotations": [
                {
                    "id": i,
                    "image_id": i,
                    "category_id": 0,
                    "bbox": [x, y, right - x, bottom - y],
                    "area": (right - x) * (bottom - y),
                    "iscrowd": 0,
                }
                for i in IMAGES
            ],
            "categories": [{"id": i, "name": name} for i, name in enumerate(self.classes)],
            "info": self.data,
        }
        key = f"{self.data}-{len(self.classes)}"
        return self.keep(dataset, key, val_json=json.dumps(truth))

    def model(self) -> tuple[Checkpoint, TfliteModel]:
        common = {"head": head(self.classes), "preprocessing": Preprocessing(width=64, height=32)}
        checkpoint = Checkpoint(**common, epoch=1)
        model = TfliteModel(
            **common,
            outputs=(),
            strategy="explicit",
            exact=True,
            converter="onnx2tf",
            precision="float32",
        )
        key = f"{self.finds}-{len(self.classes)}"
        return (
            self.keep(checkpoint, key, weights_pth=f"weights {key}"),
            self.keep(model, key, model_tflite=f"file {key}"),
        )

    def report(self, experiment: object, model: TfliteModel, dataset: Dataset) -> Report:
        """Measures: the number of boxes found stands in the model's key."""
        found = int(model.key.split("-")[0])
        one = Detections(np.array([BOX], np.float32), np.array([0.9], np.float32), np.zeros(1, int))
        none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
        answers = Evaluated({i: one if i <= found else none for i in IMAGES}, {})
        truth = json.loads(self.store.path(dataset, "val.json").read_text())
        metrics = accuracy(truth, answers.coco_results(), IMAGES)[0]
        metrics |= {"latency_ms.xnnpack.1": self.latency, "size_mb": 1.0}
        report = Report(runtime="tflite", variant=FILE, model=model.digest, metrics=metrics)

        def make(work: Path) -> Report:
            answers.save(work)
            for name in ("report.json", "detections.png"):
                (work / name).write_text("{}")
            return report

        key = f"{model.key}-{dataset.key}-{self.latency}"
        return self.store.build("report", key, make, origin={})

    def main_path(self, file: str, overrides: list[str]) -> Comparison:
        self.trainings.append(list(overrides))
        experiment = load_experiment(Path(file), overrides)
        dataset, (checkpoint, model) = self.dataset(), self.model()
        report = self.report(experiment, model, dataset)
        with tracked_run(experiment) as track:
            track(dataset)
            track(Outcome.measured(model, report))
        parts = {
            part.stage: {"folder": f"{part.stage}/{part.key}", "digest": part.digest}
            for part in (model, report)
        }
        metrics = {**report.metrics, "latency_ms": self.latency, "map_change": 0.0}
        row = {
            "variant": FILE,
            "kind": "tflite",
            "exact": True,
            "strategy": "explicit",
            "converter": "onnx2tf",
            "precision": "float32",
            "metrics": metrics,
            "artefacts": parts,
        }
        first = {
            "kind": "checkpoint",
            "artefacts": {"checkpoint": {"folder": f"checkpoint/{checkpoint.key}", "digest": ""}},
            "metrics": {},
        }
        comparison = Comparison(experiment=self.name, summary="")
        key = f"{len(self.trainings)}"
        text = json.dumps({"rows": [first, row]})
        return self.keep(comparison, key, comparison_json=text)

    def retrain(self, *overrides: str, **parameters: bool) -> str:
        return module.retrain.fn(str(self.file), overrides, **parameters)

    @property
    def key(self) -> str:
        return self.name.replace("_", "-")

    def registry(self) -> Registry:
        return Registry(self.name, self.tracking)

    def aliases(self) -> dict[str, str]:
        versions = self.registry().kept()
        return {alias: version.number for version in versions for alias in version.aliases}
