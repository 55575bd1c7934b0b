"""``mmdet2tflite val``: what was measured of one file, in the terminal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from mmdet2tflite.report import terminal
from mmdet2tflite.report.columns import IN_TERMINAL
from mmdet2tflite.report.terminal import print_models

FURTHER = {"map_75": "mAP75", "map_small": "small", "map_medium": "medium", "map_large": "large"}
"""Average precisions that the comparison's table has no room for."""


def print_validation(values: Mapping[str, Any], file: Path | None) -> None:
    """Print the table of one row, and what it has no columns for.

    Args:
        values: see ``validate``.
        file: where all of it was written.
    """
    metrics = values["metrics"]
    measured = [column for column in IN_TERMINAL if column.metric in metrics]
    row = {"variant": values["variant"], "metrics": metrics, "failure": ""}
    print_models([row], measured)
    for line in _lines(values):
        terminal.console.print(escape(line), soft_wrap=True)
    if file:
        terminal.console.print(f"everything: {escape(str(file))}", soft_wrap=True)


def _lines(values: Mapping[str, Any]) -> list[str]:
    metrics, data = values["metrics"], values["data"]
    further = [f"{name} {metrics[key]:.4f}" for key, name in FURTHER.items() if key in metrics]
    lines = [
        f"{values['images']} images, {values['analysis']['boxes']} boxes",
        *([", ".join(further)] if further else []),
        f"latency on one thread: {_latency(values['latency_ms'])}",
        values["mistakes"],
    ]
    if values["lost_classes"]:
        lines.append(f"lost classes, of which no box is found: {_named(values['lost_classes'])}")
    if data["classes_without_boxes"]:
        lines.append(
            "classes of the detector without boxes here, and so in no mAP: "
            f"{_named(data['classes_without_boxes'])}"
        )
    if data["problems"]:
        counts = ", ".join(f"{number} {kind}" for kind, number in data["problems"].items())
        lines.append(f"data: {counts}")
    return lines


def _latency(timings: Mapping[str, Mapping[str, Any]]) -> str:
    words = []
    for name, timing in timings.items():
        first, third = timing["quartiles"]
        kernels = name.partition(".")[0]
        words.append(f"{kernels} {timing['median']:.2f} ms (quartiles {first:.2f} to {third:.2f})")
    return ", ".join(words)


def _named(names: Sequence[str]) -> str:
    return ", ".join(names)
