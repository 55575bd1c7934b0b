"""What all command lines of ours share: their looks, options that several have, and how they end.

They are ``mmdet2tflite``, and each ``python -m`` of flows/, tasks/ and benchmarks/.
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from mmdet2tflite.processes.exit_status import Interrupted, run_and_report

ExperimentFile = Annotated[Path, typer.Argument(help="Experiment file (YAML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a setting: training.epochs=3."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Command(TyperCommand):
    """A command that is interrupted in a way that typer lets through."""

    def invoke(self, ctx: Any) -> Any:
        """As typer's. Raises Interrupted after Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted from error


class Application(typer.Typer):
    """An application without commands yet; ``settings`` are typer's."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            add_completion=False,
            rich_markup_mode=None,  # importing rich would double the time that --help takes
            pretty_exceptions_enable=False,
            **settings,
        )

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """As typer's."""
        return super().command(name, cls=Command, **settings)


def run_command(*functions: Callable[..., None]) -> NoReturn:
    """Call a function as the command line says, and end the process with its status.

    Of several, the first word names one. Its help is the first paragraph of its docstring.
    """
    app = Application()
    for function in functions:
        app.command(help=(inspect.getdoc(function) or "").partition("\n\n")[0])(function)
    sys.exit(run_and_report(app))
