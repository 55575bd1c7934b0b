"""``mmdet2tflite marks``: where a detector's graph can be cut.

mmdeploy marks what goes into and comes out of some of mmdet's functions. A cut is named by two of
these marks, as in ``partition_config`` of configs/deploy.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from mmdet2tflite.cli.dataset import dataset_of
from mmdet2tflite.config.experiment import Experiment, Timeouts
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.detector.command_requests import Mark, MarksRequest
from mmdet2tflite.detector.train import data_paths
from mmdet2tflite.detector.train_request import Trainable
from mmdet2tflite.errors import ConfigError, ToolFailed
from mmdet2tflite.processes.messages import leave_request
from mmdet2tflite.processes.toolchain import run_python
from mmdet2tflite.report.terminal import progress_bar
from mmdet2tflite.store.store import Store

CONFIG = "config.py"
"""The complete mmdet config beside the weights of a checkpoint of this project."""
STORE = Experiment.model_fields["store"].default


def find_marks(
    source: Path, overrides: Sequence[str] = (), *, trust_config: bool = False
) -> list[Mark]:
    """Every mark of a model, in the order of its graph.

    The network is traced as for an export, with weights that do not matter, in a child process.

    Args:
        source: an experiment (``.yaml``), whose data set is made or taken from the store for its
            classes; or a checkpoint of this project: the ``.pth`` file beside its ``config.py``, or
            the folder of both.
        overrides: of an experiment's settings.
        trust_config: run the ``config.py`` of a checkpoint wherever it is from. mmengine executes
            it as a program, so without this only one in the project's own store is.

    Raises:
        UserError: there is no such file, it is neither, its config is not to be trusted, or the
            network cannot be traced.
    """
    network: Path | Trainable
    if source.suffix in (".yaml", ".yml"):
        network, timeout = _of_experiment(source, overrides)
    elif overrides:
        raise ConfigError(
            f"--set for {source}", "an experiment file (.yaml): a checkpoint's settings are made"
        )
    else:
        network, timeout = _config_of(source), Timeouts().export
        if not trust_config:
            _check_origin(network)
    return _trace(network, timeout)


def _of_experiment(file: Path, overrides: Sequence[str]) -> tuple[Trainable, float]:
    experiment = load_experiment(file, overrides)
    os.chdir(project_root())  # relative paths of an experiment start there
    store = Store(experiment.store)
    network = Trainable(
        detector=experiment.detector,
        training=experiment.training,
        data=data_paths(store, dataset_of(experiment, store)),
    )
    return network, experiment.timeouts.export


def _config_of(checkpoint: Path) -> Path:
    config = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / CONFIG
    if not checkpoint.exists() or not config.is_file():
        raise ConfigError(
            f"there is no {config if checkpoint.exists() else checkpoint}",
            "an experiment (.yaml), or a checkpoint of this project: weights with the complete "
            f"mmdet config, {CONFIG}, beside them",
            "for weights alone, name the experiment that they belong to",
        )
    return config.absolute()


def _check_origin(config: Path) -> None:
    """Raises ConfigError for a file that this project did not write."""
    try:
        store = (project_root() / STORE).resolve()
    except ConfigError:  # only the library is installed
        store = None
    if store is None or not config.resolve().is_relative_to(store):
        raise ConfigError(
            f"{config} is a program, which would be run, and not from this project's store",
            f"a checkpoint below {store or STORE}, or one that you trust",
            "read the file, and give --trust-config if it does nothing but describe a network",
        )


def _trace(network: Path | Trainable, timeout: float) -> list[Mark]:
    work = Path(tempfile.mkdtemp(prefix="mmdet2tflite-marks-"))
    request = MarksRequest(network=network, root=project_root(), work=work)
    log = work / "marks.log"
    with ExitStack() as leaving, progress_bar("trace") as on_progress:
        leaving.callback(shutil.rmtree, work)
        try:
            found = run_python(
                "mmdeploy",
                "mmdet2tflite.detector.marks_worker",
                [leave_request(request, log)],
                log=log,
                timeout=timeout,
                on_progress=on_progress,
            )
        except ToolFailed:
            leaving.pop_all()  # its message names the log in this folder
            raise
    return TypeAdapter(list[Mark]).validate_python(found)


def as_json(marks: Sequence[Mark]) -> str:
    """A list of objects, one per tensor."""
    return json.dumps([asdict(mark) for mark in marks], indent=1)
