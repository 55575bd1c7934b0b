"""Stage: data set → checkpoint, by mmdet's Runner in a child process. Goes on where it stopped."""

import json
import shutil
from pathlib import Path

from mmdet2tflite.artifacts import Checkpoint, Dataset
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.experiment import DetectorConfig, Training
from mmdet2tflite.data.files import split_paths
from mmdet2tflite.detector.config_file import config_digests
from mmdet2tflite.detector.launch import run_worker
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store

CURVES = f"{LOGS}/curves.json"


class TrainConfig(ConfigSection):
    """The sections of an experiment that decide about the weights."""

    detector: DetectorConfig
    training: Training


def train(job: Job, config: TrainConfig, *, dataset: Dataset) -> Checkpoint:
    """Train, and keep the weights of the best validation. Raises UserError."""
    run_worker(
        config.training,
        job.write_spec("train", spec_values(job.store, config, dataset)),
        log=job.work / LOGS / "train.log",
        silence=job.timeout,
        on_progress=job.on_progress,
    )
    result = job.read_result()
    curves = result.pop("curves")
    (job.work / CURVES).write_text(json.dumps(curves), encoding="utf-8")
    shutil.rmtree(job.work / "run", ignore_errors=True)  # what only an interrupted run needs
    return Checkpoint.model_validate({**result, "metrics": _metrics(curves)})


def spec_values(store: Store, config: TrainConfig, dataset: Dataset) -> dict[str, object]:
    """What the training child is told, on each machine: all but where to write."""
    return {
        "detector": config.detector.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json"),
        "data": {
            "classes": dataset.classes,
            "train": [str(path) for path in split_paths(store, dataset, "train")],
            "val": [str(path) for path in split_paths(store, dataset, "val")],
        },
        "origin": TRAIN.origin(config, {"dataset": dataset}),
    }


def read_curves(store: Store, checkpoint: Checkpoint) -> list[dict[str, float]]:
    """One record per epoch and one per validation: ``epoch``, ``iteration``, named values."""
    curves: list[dict[str, float]] = json.loads(store.path(checkpoint, CURVES).read_text())
    return curves


def _metrics(curves: list[dict[str, float]]) -> dict[str, float]:
    scored = [line for line in curves if "map" in line]
    if not scored:
        return {}
    lines = {"val": max(scored, key=lambda line: line["map"])}
    if scored[0]["epoch"] == 0:  # what the weights were worth that the training started from
        lines["start"] = scored[0]
    return {
        f"{which}.{name}": value
        for which, line in lines.items()
        for name, value in line.items()
        if name.startswith("map")
    }


def _files(config: TrainConfig) -> dict[str, object]:
    start: Path | None = config.training.checkpoint
    return {
        "config": config_digests(config.detector.config),
        "checkpoint": None if start is None else weights_digests(start),
    }


def weights_digests(path: Path) -> list[str]:
    """Digests of the weights to start from, also of those that an ONNX file has beside it.

    None of a file that is not there: the training will say so.

    Raises:
        ModelError: an ONNX file is none, or its weights are not where they should be.
    """
    if not path.is_file():
        return []
    beside: list[Path] = []
    if path.suffix == ".onnx":
        from mmdet2tflite.graph.model_file import external_files  # slow, and seldom needed

        beside = external_files(path)
    return [file_sha256(file) for file in (path, *beside)]


TRAIN: Stage[Checkpoint] = Stage(
    name="checkpoint",
    run=train,
    tools=("torch", "torchvision", "mmengine", "mmcv-lite", "mmdet"),
    outside=_files,
    resumable=True,
)
