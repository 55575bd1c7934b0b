"""The commands on registered models, done by ``tasks.tracking.registry_command``: with MLflow."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mmdet2tflite.cli.command_line import AsJson

Model = Annotated[str, typer.Argument(help="MODEL, MODEL@ALIAS or MODEL@VERSION.")]
Name = Annotated[str, typer.Argument(help="Name of the model, which is the experiment's.")]
Tracking = Annotated[
    Path | None,
    typer.Option(help="MLflow's folder, by default mlruns; MLFLOW_TRACKING_URI, if set, wins."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="File to write.")]


def add_commands(app: typer.Typer) -> None:
    """Add all of them to the command line."""
    for command in (champion, promote, rollback, pull):
        app.command()(command)


def champion(model: Model, tracking: Tracking = None, as_json: AsJson = False) -> None:
    """Show the version of a model that is in use, and why it is."""
    _run_registry_command("champion", model, tracking, ["--json"] if as_json else [])


def promote(model: Model, tracking: Tracking = None) -> None:
    """Make a version the champion by hand, by default the challenger."""
    _run_registry_command("promote", model, tracking)


def rollback(model: Name, tracking: Tracking = None) -> None:
    """Let the previous champion take its place back."""
    _run_registry_command("rollback", model, tracking)


def pull(model: Model, out: Out, tracking: Tracking = None) -> None:
    """Fetch the TFLite file of a version, by default the champion's."""
    _run_registry_command("pull", model, tracking, ["--out", str(out.absolute())])


def _run_registry_command(
    word: str, model: str, tracking: Path | None, more: list[str] | None = None
) -> NoReturn:
    from mmdet2tflite.config.project import project_root
    from mmdet2tflite.processes.replace_process import replace_process

    place = ["--tracking", str(tracking.absolute())] if tracking else []
    replace_process(
        project_root(), "tasks.tracking.registry_command", [word, model, *place, *(more or [])]
    )
