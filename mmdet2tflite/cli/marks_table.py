"""The marks of a detector in the terminal."""

from collections.abc import Sequence
from itertools import groupby

from rich import box
from rich.markup import escape
from rich.table import Table

from mmdet2tflite.detector.command_requests import Mark
from mmdet2tflite.report.terminal import SafeConsole

LOG_WIDTH = 120


def print_marks(marks: Sequence[Mark]) -> None:
    """One row per tensor, those of a mark together."""
    console = SafeConsole()
    if not console.is_terminal:
        console = SafeConsole(width=LOG_WIDTH)
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("mark", "tensor", "type", "shape"):
        table.add_column(heading, no_wrap=True)
    for place, tensors in groupby(marks, key=lambda mark: mark.mark):
        for row, mark in enumerate(tensors):
            shape = " x ".join(map(str, mark.shape)) or "scalar"
            table.add_row(*map(escape, ("" if row else place, mark.tensor, mark.type, shape)))
    console.print(table)
    console.print(
        "A cut goes from one mark to another: partition_config of a deploy config "
        "(export.deploy_config, docs/detectors.md)."
    )
