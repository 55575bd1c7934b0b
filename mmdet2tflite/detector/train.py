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
        "checkpoint": file_sha256(start) if start and start.is_file() else None,
    }


TRAIN: Stage[Checkpoint] = Stage(
    name="checkpoint",
    run=train,
    tools=("torch", "torchvision", "mmengine", "mmcv-lite", "mmdet"),
    sources=(
        "mmdet2tflite.detector.augment",
        "mmdet2tflite.detector.cached_dataset",
        "mmdet2tflite.detector.checkpoint_file",
        "mmdet2tflite.detector.conv_pairs",
        "mmdet2tflite.detector.layers",
        "mmdet2tflite.detector.mmdet_config",
        "mmdet2tflite.detector.compat",
        "mmdet2tflite.detector.onnx_weights",
        "mmdet2tflite.detector.phases",
        "mmdet2tflite.detector.pipeline_checks",
        "mmdet2tflite.detector.pipelines",
        "mmdet2tflite.detector.ranks",
        "mmdet2tflite.detector.recorder",
        "mmdet2tflite.detector.saved_config",
        "mmdet2tflite.detector.schedule",
        "mmdet2tflite.detector.speed",
        "mmdet2tflite.detector.start_weights",
        "mmdet2tflite.detector.train_worker",
        "mmdet2tflite.geometry",
    ),
    outside=_files,
    resumable=True,
)
