"""The command line. Heavy modules are imported by the command that needs them, not here."""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mmdet2tflite.exit_status import run_and_report

FLOW_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # The terminal is ours: a bar and a line per stage. Prefect's own log still goes to its server.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}

app = typer.Typer(
    help="From a data set to a detector in TensorFlow Lite that still sees what it saw in PyTorch.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # importing rich would double the time that --help takes
    pretty_exceptions_enable=False,
)


def main() -> NoReturn:
    """Entry point of the ``mmdet2tflite`` command."""
    sys.exit(run_and_report(app))


def _show_version(wanted: bool) -> None:
    if wanted:
        print(version("mmdet2tflite"))
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


@app.command()
def run(
    experiment: Annotated[Path, typer.Argument(help="Experiment file (YAML).")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting: training.epochs=3."),
    ] = None,
) -> None:
    """Run an experiment, from the data set to the report.

    What was already made with the same settings is taken from the store.
    """
    from mmdet2tflite.experiment_file import load_experiment
    from mmdet2tflite.project import project_root

    load_experiment(experiment, overrides or ())  # a mistake shows before the flow's slow start
    root = project_root()
    command = [sys.executable, "-m", "flows.detector_to_tflite", str(experiment.resolve())]
    for override in overrides or ():
        command += ["--set", override]
    os.chdir(root)
    os.execve(sys.executable, command, {**FLOW_ENVIRONMENT, **os.environ})


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the machine, the versions and the mends.

    Ends with status 1 if a distribution that the pipeline needs is missing.
    """
    from mmdet2tflite.doctor import diagnose, print_diagnosis, print_json
    from mmdet2tflite.project import project_root

    diagnosis = diagnose(project_root())
    (print_json if as_json else print_diagnosis)(diagnosis)
    if diagnosis.missing:
        raise typer.Exit(1)


if __name__ == "__main__":
    main()
