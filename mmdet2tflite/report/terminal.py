"""What a person sees in the terminal: a bar and a line per stage, a table at the end."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from mmdet2tflite.artifacts import Report
from mmdet2tflite.toolchain import OnProgress

SECONDS_BETWEEN_LINES = 30.0
"""Where there is no terminal (a worker's log, CI), a line now and then takes the bar's place."""

LOG_WIDTH = 120

console = Console(highlight=False)


@contextmanager
def progress_bar(title: str) -> Iterator[OnProgress]:
    """Show a stage's progress messages while it runs; see ``toolchain.progress``."""
    if not console.is_terminal:
        yield _occasional_lines(title)
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[details]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None, details="")

        def update(message: dict[str, Any]) -> None:
            bar.update(
                task,
                completed=message.get("completed"),
                total=message.get("total"),
                details=_details(message),
            )

        yield update


def _occasional_lines(title: str) -> OnProgress:
    last = time.monotonic()

    def update(message: dict[str, Any]) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            done = f"{message.get('completed')}/{message.get('total')}"
            console.print(f"{title:<12} {done}  {_details(message)}")

    return update


def _details(message: dict[str, Any]) -> str:
    shown = {k: v for k, v in message.items() if k not in ("completed", "total", "description")}
    return "  ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in shown.items()
    )


def announce(name: str, label: str, state: str, seconds: float) -> None:
    """One line for a finished arrow: its name, ``Completed`` or ``Cached``, how long it took."""
    words = f"{' → '.join(name.split('_to_'))}  {label}"
    done = "cached" if state == "Cached" else f"{seconds:.1f} s"
    console.print(f"[green]✓[/green] {words:<50} {done}")


def say_waiting(title: str) -> None:
    """Another process is making the very same artefact."""
    console.print(f"{title}: another run is making this already; waiting for it")


COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("mAP", "map", ".4f"),
    ("mAP50", "map_50", ".4f"),
    ("error", "parity.relative", ".0e"),
    ("lost", "parity.lost", ".0f"),
    ("new", "parity.new", ".0f"),
    ("MB", "size_mb", ".2f"),
    ("PAD", "pads", ".0f"),
)
"""Heading, metric, format."""
CAPTION = """\
error: largest difference from the model above it, as a fraction of the output's range;
lost, new: detections over a score of 0.3 that one of the two does not have;
ms: median of one inference on one thread, without pre- and post-processing"""


def comparison_table(reports: Sequence[Report]) -> Table:
    """All models of a run, one row each."""
    table = Table(caption=CAPTION, caption_justify="left")
    table.add_column("model", no_wrap=True)
    for heading, *_ in COLUMNS:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("ms", justify="right", no_wrap=True)
    table.add_column("ms builtin", justify="right", no_wrap=True)
    for report in reports:
        cells = [_cell(report, metric, form) for _, metric, form in COLUMNS]
        table.add_row(report.variant, *cells, *latencies(report))
    return table


def print_comparison(reports: Sequence[Report]) -> None:
    """Print the table; a log file is as wide as it needs."""
    wide = console if console.is_terminal else Console(width=LOG_WIDTH, highlight=False)
    wide.print(comparison_table(reports))


def latencies(report: Report) -> tuple[str, str]:
    """Median latency on one thread of the runtime at its best, and of TFLite's builtin kernels."""
    names = [n for n in report.metrics if n.startswith("latency_ms.") and n.endswith(".1")]
    builtin = "latency_ms.builtin.1"
    best = next((name for name in names if name != builtin), "")
    return _cell(report, best, ".2f"), _cell(report, builtin, ".2f")


def _cell(report: Report, metric: str, form: str) -> str:
    value = report.metrics.get(metric)
    return "–" if value is None else format(value, form)
