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
from mmdet2tflite.detector.train_request import CURVES, DataPaths, TrainRequest
from mmdet2tflite.files.digest import file_sha256
from mmdet2tflite.stage import Job, Stage
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store


class TrainConfig(ConfigSection):
    """The sections of an experiment that decide about the weights."""

    detector: DetectorConfig
    training: Training


def train(job: Job, config: TrainConfig, *, dataset: Dataset) -> Checkpoint:
    """Train, and keep the weights of the best validation. Raises UserError."""
    checkpoint = run_worker(
        train_request(job.store, config, dataset, job.work),
        log=job.work / LOGS / "train.log",
        silence=job.timeout,
        on_progress=job.on_progress,
    )
    assert checkpoint is not None  # rank 0 is on this machine
    shutil.rmtree(job.work / "run", ignore_errors=True)  # what only an interrupted run needs
    return checkpoint


def train_request(store: Store, config: TrainConfig, dataset: Dataset, work: Path) -> TrainRequest:
    """What the training child is asked, on each machine."""
    return TrainRequest(
        detector=config.detector,
        training=config.training,
        data=data_paths(store, dataset),
        origin=TRAIN.origin(config, {"dataset": dataset}),
        work=work,
    )


def data_paths(store: Store, dataset: Dataset) -> DataPaths:
    """Where the files of a data set are."""
    train, val = (split_paths(store, dataset, name) for name in ("train", "val"))
    return DataPaths(classes=dataset.classes, train=train, val=val)


def read_curves(store: Store, checkpoint: Checkpoint) -> list[dict[str, float]]:
    """The content of ``CURVES``."""
    curves: list[dict[str, float]] = json.loads(store.path(checkpoint, CURVES).read_text())
    return curves


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
