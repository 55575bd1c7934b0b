"""This project's files against the stock outputs of other tools, taking turns on one machine."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from prefect import flow

from benchmarks.conversion.contestants import enter
from benchmarks.conversion.page import save, table
from benchmarks.conversion.results import describe_machine, make_results
from benchmarks.conversion.timing import Protocol, time_entries
from mmdet2tflite.cli.command_line import ExperimentFile, Overrides, run_command
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.data.files import image_files
from mmdet2tflite.report.terminal import console, print_wide, progress_bar
from mmdet2tflite.store.store import Store
from tasks.checkpoint_to_onnx import checkpoint_to_onnx
from tasks.config_to_dataset import config_to_dataset
from tasks.dataset_to_checkpoint import dataset_to_checkpoint
from tasks.model_to_report import model_to_report
from tasks.servers.server import start_server


@flow(name="benchmark")
def benchmark(experiment_file: str, out: str, rounds: int, overrides: Sequence[str] = ()) -> str:
    """Make what is not in the store yet, time everything, and write the page; returns its path.

    Args:
        experiment_file: a YAML file such as configs/experiments/digits.yaml.
        out: folder of the page.
        rounds: how many turns each file has.
        overrides: ``dotted.key=value`` settings that replace those of the file.

    Raises:
        UserError: there is nothing to compare, or nothing to compare with.
    """
    before = describe_machine()
    experiment = load_experiment(Path(experiment_file), overrides)
    store, protocol = Store(experiment.store), Protocol(rounds=rounds)
    dataset = config_to_dataset(experiment)
    checkpoint = dataset_to_checkpoint(experiment, dataset)
    onnx = checkpoint_to_onnx(experiment, checkpoint, dataset)
    pytorch_report = model_to_report(experiment, checkpoint, dataset)
    onnx_report = model_to_report(experiment, onnx, dataset, pytorch_report)
    entries = list(enter(experiment, onnx, onnx_report, dataset))
    with progress_bar("take turns") as on_progress:
        image = image_files(store, dataset, "val")[0]
        timeout = experiment.timeouts.evaluate
        found = time_entries(store, entries, image, protocol, timeout, on_progress)
    command = _command(Path(experiment_file), rounds, overrides)
    results = make_results(experiment, dataset, command, before, entries, found, protocol)
    page = save(results, Path(out))
    print_wide(table(results))
    console.print(f"page: {page}", soft_wrap=True)
    return str(page)


def _command(experiment_file: Path, rounds: int, overrides: Sequence[str]) -> str:
    root = project_root()
    inside = experiment_file.is_relative_to(root)
    file = experiment_file.relative_to(root) if inside else experiment_file
    words = ["python", "-m", "benchmarks.conversion", str(file), "--rounds", str(rounds)]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)


def run(
    experiment: ExperimentFile,
    out: Annotated[Path, typer.Option()],
    rounds: Annotated[int, typer.Option()],
    overrides: Overrides = None,
) -> None:
    """Run the flow, with a server if need be."""
    start_server()()
    benchmark(str(experiment), str(out), rounds, overrides or ())


if __name__ == "__main__":
    run_command(run)
