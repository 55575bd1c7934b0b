"""Runs the command in this process."""

from typer.testing import CliRunner

from mmdet2tflite.cli.main import app
from mmdet2tflite.errors import UserError


def invoke(*arguments: object) -> str:
    """What the command prints. Raises what it raises."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout
