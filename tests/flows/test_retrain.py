"""Retraining, with a main path that only says what it would have made: who is champion, and why.

Store, MLflow's registry, the bootstrap and the rules are the real ones.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

from flows import retrain as module
from mmdet2tflite.artifacts import (
    Artifact,
    Checkpoint,
    Comparison,
    Dataset,
    Head,
    Preprocessing,
    Report,
    Split,
    TfliteModel,
)
from mmdet2tflite.errors import ConfigError, StoreError
from mmdet2tflite.evaluate.accuracy import accuracy
from mmdet2tflite.evaluate.decode import Detections
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.experiment_file import load_experiment
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.store import Store
from tasks.registry import Registry
from tasks.tracking import tracked_run

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
            track.dataset(dataset)
            track.outcome(Outcome.measured(model, report))
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


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database: MLflow takes seconds to make one."""
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture
def world(tmp_path: Path, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path, tracking)
    monkeypatch.setattr(module, "config_to_dataset", made.dataset)
    monkeypatch.setattr(module, "detector_to_tflite", made.main_path)
    monkeypatch.setattr(module, "model_to_report", made.report)
    monkeypatch.setattr(module, "reports_to_decision", module.reports_to_decision.fn)
    monkeypatch.setattr(
        module, "create_markdown_artifact", lambda text, key: made.told.append(f"{key}: {text}")
    )
    return made


def test_data_that_are_still_changing_are_left_alone(world, monkeypatch):
    def changed(minutes_ago: float) -> None:
        when = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        monkeypatch.setattr(module, "newest_change", lambda config: when)

    changed(minutes_ago=4)
    waits = world.retrain(still_for_minutes=5)
    assert waits == (
        "nothing to do: the data changed 4.0 minutes ago; trained when they have been still for 5"
    )
    assert world.trainings == []
    assert world.told == [f"promotion-{world.key}: {waits}"]
    assert world.retrain(still_for_minutes=4).startswith("version 1 promoted")
    changed(minutes_ago=-60)  # by the clock of another machine
    world.data = "new"
    assert world.retrain().startswith("nothing to do: explicit")  # it was trained: the same file


def test_what_was_trained_on_the_same_data_is_not_trained_again_unless_asked_for(world):
    assert world.retrain().startswith(f"version 1 promoted: {FILE}; mAP 0.50")
    assert world.retrain() == "nothing to do: version 1 was trained on the same data"
    assert len(world.trainings) == 1
    same = world.retrain(even_if_unchanged=True)
    assert same == f"nothing to do: {FILE} is the champion's very file"
    assert len(world.trainings) == 2
    world.data, world.finds = "new", 2
    assert world.retrain().startswith("version 2 refused")
    assert world.retrain() == "nothing to do: version 2 was trained on the same data"
    assert [text.split(" ")[0] for text in world.told] == [f"promotion-{world.key}:"] * 5


def test_a_worse_one_is_refused_a_better_one_promoted_and_both_say_why(world):
    world.retrain()
    world.data, world.finds = "new", 2
    worse = world.retrain()
    assert worse.startswith(f"version 2 refused: {FILE}; mAP 0.1683 against the champion's 0.50")
    assert world.aliases() == {"champion": "1", "challenger": "2"}
    refused = world.registry().get("2")
    assert refused.tags["promotion"] == worse.removeprefix("version 2 ")
    assert "| accuracy | **no** |" in refused.description
    assert float(refused.tags["decision.map_lower_bound"]) < -0.3
    world.data, world.finds = "newer", 10
    assert world.retrain().startswith(f"version 3 promoted: {FILE}; mAP 0.83")
    assert world.aliases() == {"champion": "3", "previous": "1"}
    assert "| accuracy | yes |" in world.told[-1]


def test_the_champion_is_measured_on_the_data_as_they_are_now(world):
    world.retrain()
    world.data, world.finds = "new", 7
    world.retrain()
    measured = [a.key for a in world.store.finished() if a.stage == "report"]
    assert len([key for key in measured if key.startswith("6-1-new-1-")]) == 1


def test_a_slower_one_is_refused_for_its_latency_alone(world, monkeypatch):
    world.retrain()
    world.data, world.finds = "new", 9
    measure, world.latency = world.report, 13.0

    def champion_is_quick(*given):
        world.latency = 10.0
        return measure(*given)

    monkeypatch.setattr(module, "model_to_report", champion_is_quick)
    said = world.retrain()
    assert said == (
        f"version 2 refused: {FILE}; latency 13.00 ms against 10.00 ms: 1.30 times, allowed is 1.2"
    )


def test_a_training_starts_from_the_champions_weights_only_when_asked(world):
    world.retrain("training.seed=1", from_champion=True)
    world.data, world.finds = "new", 7
    world.retrain("training.seed=1", from_champion=True)
    weights = world.folder / "store" / "checkpoint" / "6-1" / "weights.pth"
    assert world.trainings == [
        ["training.seed=1"],
        ["training.seed=1", f"training.checkpoint={weights}"],
    ]


def test_a_champion_of_other_classes_stays_until_somebody_decides(world):
    world.retrain()
    world.classes, world.finds = ("cat", "dog"), 12
    said = world.retrain()
    assert "refused: " in said
    assert "other classes (cat) than the data set (cat, dog)" in said
    assert world.aliases() == {"champion": "1", "challenger": "2"}


def test_who_is_overtaken_by_another_promotion_is_refused_and_says_so(world, monkeypatch):
    world.retrain()
    world.data, world.finds = "new", 8
    decide = module.reports_to_decision

    def meanwhile(*given):
        registry = world.registry()
        run = registry.get("1").run_id
        import mlflow

        other = registry.add(mlflow.get_run(run), {}, "")
        registry.promote(other, replacing=registry.find("champion"))
        return decide(*given)

    monkeypatch.setattr(module, "reports_to_decision", meanwhile)
    said = world.retrain()
    assert said.startswith("version 3 refused: ")
    assert "compared with version 1, and the champion is version 2 by now" in said
    assert world.aliases() == {"champion": "2", "previous": "1", "challenger": "3"}


def test_what_cannot_work_is_said_before_anything_is_trained(world):
    with pytest.raises(ConfigError, match="precision is int8, and the experiment makes float32"):
        world.retrain("promotion.precision=int8")
    world.retrain()
    (tflite,) = (world.folder / "store" / "tflite").iterdir()
    tflite.rename(world.folder / "lost")
    world.data = "new"
    with pytest.raises(StoreError, match=r"the TfliteModel of .* version 1 is not in"):
        world.retrain()
    assert len(world.trainings) == 1
