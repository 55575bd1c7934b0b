"""What every backend says of itself. Each is a line of ``table.BACKENDS``."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdet2tflite.runtime.runners import Runner


@dataclass(frozen=True)
class Backend:
    """The program that runs one kind of artefact.

    Args:
        name: as it stands in a report.
        tool: the distribution, for error messages.
        kernel_sets: the backend's ways to compute. The first is evaluated, all are timed.
        label: the variant's name in a report.
        open: ``open(model, folder, kernel_set, threads)``, the folder being the artefact's.
        census: counts the file's operators; None for a model without a graph of its own.
        timed: its number of threads can be set anew for each model, and so its latency compared.
    """

    name: str
    tool: str
    kernel_sets: tuple[str, ...]
    label: Callable[[Any], str]
    open: Callable[[Any, Path, str, int], Runner]
    census: Callable[[Path], Counter[str]] | None = None
    timed: bool = True
