"""The commands on registered models, done by ``tasks.tracking.registry_command``: with MLflow."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

Model = Annotated[str, typer.Argument(help="MODEL, MODEL@ALIAS or MODEL@VERSION.")]
Name = Annotated[str, typer.Argument(help="Name of the model, which is the experiment's.")]
Tracking = Annotated[
    Path | None,
    typer.Option(help="MLflow's folder, by default mlruns; MLFLOW_TRACKING_URI, if set, wins."),
]


def add_commands(app: typer.Typer) -> None:
    """Add all of them to the command line."""
    for command in (champion, promote, rollback, pull):
        app.command()(command)


def champion(
    model: Model,
    tracking: Tracking = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the version of a model that is in use, and why it is."""
    _become("champion", model, tracking, ["--json"] if as_json else [])


def promote(model: Model, tracking: Tracking = None) -> None:
    """Make a version the champion by hand, by default the challenger."""
    _become("promote", model, tracking)


def rollback(model: Name, tracking: Tracking = None) -> None:
    """Let the previous champion take its place back."""
    _become("rollback", model, tracking)


def pull(
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write.")],
    tracking: Tracking = None,
) -> None:
    """Fetch the TFLite file of a version, by default the champion's."""
    _become("pull", model, tracking, ["--out", str(out.absolute())])


def _become(
    word: str, model: str, tracking: Path | None, more: list[str] | None = None
) -> NoReturn:
    from mmdet2tflite.config.project import project_root
    from mmdet2tflite.processes.become import become

    place = ["--tracking", str(tracking.absolute())] if tracking else []
    become(project_root(), "tasks.tracking.registry_command", [word, model, *place, *(more or [])])
