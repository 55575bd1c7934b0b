"""``python -m benchmarks.conversion EXPERIMENT [--set KEY=VALUE …] [--rounds N] [--out FOLDER]``"""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mmdet2tflite.cli.command_line import ExperimentFile, Overrides, run_command
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.config.project import project_root
from mmdet2tflite.processes.replace_process import replace_process

FOLDER = Path("docs", "benchmarks")


def become_flow(
    experiment: ExperimentFile,
    overrides: Overrides = None,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each file.")] = 30,
    out: Annotated[
        Path | None, typer.Option(help=f"Folder of the page, by default {FOLDER}.")
    ] = None,
) -> NoReturn:
    """Measure this project's files against the stock outputs of other tools."""
    load_experiment(experiment, overrides or ())  # a mistake shows before the flow's slow start
    root = project_root()
    page = out.absolute() if out else root / FOLDER
    words = [str(experiment.resolve()), "--out", str(page), "--rounds", str(rounds)]
    for override in overrides or ():
        words += ["--set", override]
    replace_process(root, "benchmarks.conversion.flow", words)


if __name__ == "__main__":
    run_command(become_flow)
