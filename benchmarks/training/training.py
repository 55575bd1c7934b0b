"""``python -m benchmarks.training.training EXPERIMENT [--set KEY=VALUE …] [--rounds N]``

Trains a few epochs in turn with mmdet's own ``tools/train.py`` and as this project does: same
config, data, order and seed. Prints seconds per iteration, their ratio, and how far the losses are
apart; beside that, how far the stock losses are apart on another number of threads, which changes
nothing but the order of additions.
"""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer

from benchmarks.conversion.ratios import spread
from benchmarks.training.training_request import Trained, TrainingRequest, Way
from mmdet2tflite.cli.command_line import ExperimentFile, Overrides, run_command
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.detector.train import data_paths
from mmdet2tflite.processes import machine
from mmdet2tflite.processes.messages import leave_request
from mmdet2tflite.processes.toolchain import run_python
from mmdet2tflite.store.store import Store


def measure(
    experiment_file: ExperimentFile,
    overrides: Overrides = None,
    rounds: Annotated[int, typer.Option(help="Trainings of each kind.")] = 3,
    epochs: Annotated[int, typer.Option(help="Of each training.")] = 2,
) -> None:
    """Train with mmdet's own tools/train.py and as this project does, and compare."""
    settings = [*(overrides or ()), f"training.epochs={epochs}"]
    experiment = load_experiment(experiment_file, settings)
    cores = machine.cores()
    pairs = []
    for number in range(rounds):
        stock, ours = (_train(experiment, way, cores) for way in get_args(Way))
        pairs.append((stock, ours))
        print(
            f"round {number + 1}: {stock.per_iteration:.3f} s stock, {ours.per_iteration:.3f} s "
            f"here, {stock.per_iteration / ours.per_iteration:.2f} times as fast",
            flush=True,
        )
    other = _train(experiment, "stock", max(1, cores // 2))
    for line in describe(pairs, other):
        print(line)


def describe(rounds: Sequence[tuple[Trained, Trained]], other: Trained) -> Iterator[str]:
    """The result in words.

    Args:
        rounds: pairs of (stock, ours).
        other: stock on another number of threads.
    """
    found = spread([stock.per_iteration / ours.per_iteration for stock, ours in rounds])
    yield f"times as fast: {found.median:.2f} ({found.low:.2f} to {found.high:.2f})"
    stock, ours = rounds[0]
    yield f"losses differ by {difference(stock, ours):.2%} in the mean"
    yield f"stock on another number of threads by {difference(stock, other):.2%}"


def difference(one: Trained, other: Trained) -> float:
    """Mean of ``|a - b| / a`` over all iterations."""
    pairs = zip(one.loss, other.loss, strict=True)
    return statistics.fmean(abs(a - b) / a for a, b in pairs)


def _train(experiment: Experiment, way: Way, threads: int) -> Trained:
    store = Store(experiment.store)
    dataset = DATASET.build(store, experiment.dataset, timeout=experiment.timeouts.dataset)
    with tempfile.TemporaryDirectory() as folder, machine.alone():
        work = Path(folder)
        request = TrainingRequest(
            way=way,
            threads=threads,
            detector=experiment.detector,
            training=experiment.training,
            data=data_paths(store, dataset),
            work=work,
        )
        log = work / "train.log"
        found = run_python(
            "mmdet",
            "benchmarks.training.training_worker",
            [leave_request(request, log)],
            log=log,
            silence=experiment.timeouts.training_silence,
        )
        return Trained.model_validate(found)


if __name__ == "__main__":
    run_command(measure)
