"""What all command lines of ours share: their looks, options that several have, and how they end.

They are ``mmdet2tflite``, and each ``python -m`` of flows/, tasks/ and benchmarks/.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from mmdet2tflite.processes.exit_status import run_and_report

ExperimentFile = Annotated[Path, typer.Argument(help="Experiment file (YAML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting: training.epochs=3."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def application(**settings: Any) -> typer.Typer:
    """An application without commands; ``settings`` are typer's."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,  # importing rich would double the time that --help takes
        pretty_exceptions_enable=False,
        **settings,
    )


def run_command(*functions: Callable[..., None]) -> NoReturn:
    """Call a function as the command line says, and end the process with its status.

    Of several, the first word names one. Its help is the first paragraph of its docstring.
    """
    app = application()
    for function in functions:
        app.command(help=(inspect.getdoc(function) or "").partition("\n\n")[0])(_reported(function))
    sys.exit(app())


def _reported(function: Callable[..., None]) -> Callable[..., None]:
    """Not around the application: typer would swallow Ctrl-C, and with it what is said of it."""

    @functools.wraps(function)
    def command(**options: Any) -> None:
        raise typer.Exit(run_and_report(lambda: function(**options)))

    return command
