"""``mmdet2tflite train-node``: another machine's part of a training on several.

The first machine runs the experiment and keeps what comes out; this one only trains along.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.cli.dataset import dataset_of
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.detector.launch import run_worker
from mmdet2tflite.detector.train import TRAIN, TrainConfig, train_request
from mmdet2tflite.errors import ConfigError
from mmdet2tflite.report.terminal import progress_bar
from mmdet2tflite.store.manifest import LOGS
from mmdet2tflite.store.store import Store


def train_along(file: Path, overrides: Sequence[str], node: int) -> None:
    """The command. Raises UserError."""
    experiment = load_experiment(file, overrides)
    os.chdir(project_root())  # relative paths of an experiment start there
    train_node(experiment, node)


def train_node(experiment: Experiment, node: int) -> None:
    """Make or find the data set, then run this machine's ranks until the training has ended.

    Args:
        node: number of this machine, from 1; the one that ``training.rendezvous`` names is 0.

    Raises:
        UserError: there is no such machine; the data set is wrong; the training failed, here or on
            another machine.
    """
    training = experiment.training
    if node >= training.machines:
        raise ConfigError(
            f"this is machine {node}, and training.machines is {training.machines}",
            f"a number from 1 to {training.machines - 1}; machine 0 runs the experiment"
            if training.machines > 1
            else "an experiment that is trained on several machines",
            "give the same --set training.machines=… as on the first machine, and another --node",
        )
    store = Store(experiment.store)
    dataset = dataset_of(experiment, store)
    config = TrainConfig(detector=experiment.detector, training=training)
    work = store.work / "train-node" / f"{TRAIN.key(config, dataset=dataset)}-{node}"
    shutil.rmtree(work, ignore_errors=True)
    with progress_bar(f"machine {node}") as on_progress:
        run_worker(
            train_request(store, config, dataset, work),
            log=work / LOGS / "train.log",
            silence=experiment.timeouts.training_silence,
            on_progress=on_progress,
            node=node,
        )
    shutil.rmtree(work)
