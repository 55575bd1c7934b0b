"""A run tracked with models that are there, though nobody made or measured them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest

from mmdet2tflite.artifacts import (
    Artifact,
    Dataset,
    OnnxModel,
    OpenvinoModel,
    Report,
    Split,
    TfliteModel,
)
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.errors import ToolFailed
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.report.outcome import Measurable, Outcome
from mmdet2tflite.store.store import Store
from tasks.tracking.runs import tracked_run
from tests.corner_network import HEAD, picture, write_detector

ONNX, OPENVINO, FAILED = "ONNX", "OpenVINO", "widen · onnx2tf · float32"
ANALYSED = (
    "detections_json",
    "detections_png",
    "analysis_json",
    "mistakes_png",
    "errors_png",
    "magnitudes_json",
)
"""Files of a report on a model that has detections; ``_`` stands for ``.``."""
STRATEGIES = ("explicit", "engine")
PHOTO = picture().repeat(10, axis=0).repeat(10, axis=1)
"""Ten times as large as the network's input."""
SIZE = Preprocessing(width=64, height=32)


@dataclass
class Tracked:
    """What was tracked: the store, each TFLite file by its run's name, MLflow's runs by name."""

    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    runs: dict[str, mlflow.entities.Run] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "artifacts")

    def keep(self, artifact: Artifact, **files: bytes) -> Artifact:
        """Put an artefact into the store; a file's name has ``_`` for ``.``."""

        def make(work: Path) -> Artifact:
            for name, content in files.items():
                (work / name.replace("_", ".")).write_bytes(content)
            return artifact

        key = str(len(list(self.folder.glob("artifacts/*/*"))))
        return self.store.build(artifact.kind, key, make, origin={})  # type: ignore[attr-defined]

    def dataset(self) -> Dataset:
        cv2.imwrite(str(self.folder / "photo.png"), PHOTO)
        images = {"images": [{"file_name": "photo.png"}, {"file_name": "none.png"}]}
        split = Split(
            annotations="val.json", image_root=str(self.folder), images=2, boxes=0, images_digest=""
        )
        dataset = Dataset(classes=HEAD.classes, train=split, val=split)
        return self.keep(dataset, val_json=json.dumps(images).encode())  # type: ignore[return-value]

    def outcome(self, model: Measurable, variant: str) -> Outcome:
        """Measured: its mAP is a tenth of the number of letters in its name."""
        metrics = {"map": len(variant) / 10}
        report = Report(runtime="any", variant=variant, model=model.digest, metrics=metrics)
        files = {"report_json": b"{}"}
        if variant != ONNX:  # whose outputs are not decoded, let us say
            files |= dict.fromkeys(ANALYSED, b"")
        return Outcome.measured(model, self.keep(report, **files))  # type: ignore[arg-type]

    def tflite(self, strategy: str) -> Outcome:
        flagged = strategy == "engine"
        path = write_detector(self.folder / "m.tflite", flagged=flagged, strategy=strategy)
        model = TfliteModel(
            head=HEAD,
            preprocessing=SIZE,
            outputs=(),
            strategy=strategy,
            exact=True,
            converter="onnx2tf",
            precision="float32",
        )
        layers = {"layers_json": b"{}"} if strategy == "engine" else {}
        kept = self.keep(model, model_tflite=path.read_bytes(), **layers)
        self.files[model.variant] = self.store.path(kept, "model.tflite")
        return self.outcome(kept, model.variant)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    """ONNX, OpenVINO, the corner network plain and flagged, and one that failed."""
    made = Tracked(tmp_path_factory.mktemp("tracked"))
    experiment = Experiment.model_validate(
        {
            "name": "tiny",
            "dataset": {"kind": "digits"},
            "store": str(made.store.root),
            "tracking": str(made.folder / "mlruns"),
        }
    )
    head = {"head": HEAD, "preprocessing": SIZE, "outputs": ()}
    onnx = made.keep(OnnxModel(**head, opset=13), model_onnx=b"onnx")
    openvino = made.keep(OpenvinoModel(**head), model_xml=b"xml", model_bin=b"weights")
    with tracked_run(experiment) as track:
        track(made.dataset())
        for model, name in ((onnx, ONNX), (openvino, OPENVINO)):
            track(made.outcome(model, name))  # type: ignore[arg-type]
        for strategy in STRATEGIES:
            track(made.tflite(strategy))
        track(Outcome.failed(ToolFailed("no"), "widen", "onnx2tf", "float32"))
    found = mlflow.search_runs(experiment_names=["tiny"], output_format="list")
    made.runs = {run.info.run_name: run for run in found}
    return made


@pytest.fixture(scope="session")
def dark() -> np.ndarray:
    """Of another size, and nothing in it; of the input's shape, because its margin is bright."""
    return np.zeros((48, 96, 3), np.uint8)
