"""What a person sees in the terminal: a bar and a line per stage, a table at the end."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mmdet2tflite.errors import one_line
from mmdet2tflite.processes.toolchain import OnProgress
from mmdet2tflite.report.columns import IN_TERMINAL, Column, cell, less_important
from mmdet2tflite.safe_text import visible, visible_lines, without_password

SECONDS_BETWEEN_LINES = 30.0
"""Where there is no terminal (a worker's log, CI), a line now and then takes the bar's place."""

LOG_WIDTH = 160
MOST_CHARACTERS = 10_000
"""Of a line, where nothing limits it."""
HEADING, NUMBER = 10, 8
"""Characters of a card's two columns."""


class SafeConsole(Console):
    """What it is told holds names of strangers: no control characters, no passwords get through.

    ``escape`` is for what is no markup of ours.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich's own, of the text as it may be shown."""
        return super().render_str(without_password(visible_lines(text)), **options)


console = SafeConsole()


_display = Progress(
    TextColumn("{task.description:<12}"),
    BarColumn(bar_width=30),
    TextColumn("{task.percentage:>3.0f} %"),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
    TextColumn("{task.fields[details]}"),
    console=console,
    transient=True,
)
"""The bars of all threads: rich draws one display at a time. It is there while it has a bar."""
_bars_change = Lock()


@contextmanager
def progress_bar(title: str) -> Iterator[OnProgress]:
    """Show a stage's progress messages while it runs; see ``messages.progress``.

    Stages that run at once, each in a thread, have their bars below each other.
    """
    if not console.is_terminal:
        yield _occasional_lines(title)
        return
    with _bars_change:
        task = _display.add_task(title, total=None, details="")
        _display.start()

    def update(message: dict[str, Any]) -> None:
        if not _say_caution(message):
            done, total = message.get("completed"), message.get("total")
            details = escape(_details(message))
            _display.update(task, completed=done, total=total, details=details)

    try:
        yield update
    finally:
        with _bars_change:
            _display.remove_task(task)
            if not _display.tasks:
                _display.stop()


def _say_caution(message: dict[str, Any]) -> bool:
    """A line that stays, if that is what the message is for."""
    if "caution" not in message:
        return False
    console.print(f"[yellow]caution:[/yellow] {escape(message['caution'])}", soft_wrap=True)
    return True


def _occasional_lines(title: str) -> OnProgress:
    last = time.monotonic()

    def update(message: dict[str, Any]) -> None:
        nonlocal last
        if _say_caution(message):
            return
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            done = f"{message.get('completed')}/{message.get('total')}"
            console.print(f"{title:<12} {done}  {escape(_details(message))}")

    return update


def _details(message: dict[str, Any]) -> str:
    shown = {k: v for k, v in message.items() if k not in ("completed", "total", "description")}
    return "  ".join(
        f"{name} {value:.3f}" if isinstance(value, float) else visible(f"{name} {value}")
        for name, value in shown.items()
    )


def announce(name: str, label: str, state: str, seconds: float) -> None:
    """One line for a finished arrow: its name, ``Completed`` or ``Cached``, how long it took."""
    done = "cached" if state == "Cached" else f"{seconds:.1f} s"
    console.print(f"[green]✓[/green] {escape(arrow_title(name, label)):<50} {done}")


def arrow_title(name: str, label: str) -> str:
    """``rewritten_to_tflite`` → ``rewritten → tflite``, and which of them."""
    return f"{' → '.join(name.split('_to_'))}  {label}".rstrip()


def say_waiting(title: str) -> None:
    """Another process is making the very same artefact."""
    console.print(f"{title}: another run is making this already; waiting for it")


NOTES = {
    ("error",): (
        "error: largest difference from the model that it was made of, as a fraction of the "
        "output's range"
    ),
    ("lost", "new"): "lost, new: detections over a score of 0.3 that one of the two does not have",
    ("ms",): "ms: median of one inference on one thread, without pre- and post-processing",
}
"""Below a table that has these columns."""


def announce_failure(what: str, reason: str) -> None:
    """One line for an arrow or a variant that failed; the run goes on with the others."""
    console.print(f"[red]✗[/red] {escape(what)}: {escape(one_line(reason))}")


def announce_problems(found: Mapping[str, int], report: Path) -> None:
    """Of a data set that is used all the same: how many of each kind, and where each is named."""
    counts = ", ".join(f"{number} {kind}" for kind, number in found.items())
    console.print(
        f"  [yellow]data:[/yellow] {counts}; named in {escape(str(report))}", soft_wrap=True
    )


def announce_retry(seconds: float) -> None:
    """Below the line of a failure that may pass."""
    console.print(f"  this may pass: tried again in {seconds:g} s")


def comparison_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column] = IN_TERMINAL
) -> Table:
    """All models of a run: the rows of ``comparison.json``."""
    table = Table(caption=_notes(columns), caption_justify="left")
    table.add_column("model", no_wrap=True)
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for row in rows:
        cells = [cell(row["metrics"], column) for column in columns]
        if row["failure"]:
            cells[0] = "failed"
        table.add_row(escape(row["variant"]), *cells)
    return table


def print_models(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column] = IN_TERMINAL
) -> None:
    """Print the table, and no number in part.

    1. A terminal limits the width, and so does the environment variable ``COLUMNS``; a pipe and a
       file do not.
    2. The least important columns are left out until the table fits, which a line says.
    3. Where the indispensable ones do not fit, each model has a card, a line for every number.
    """
    limit, shown = _width_limit(), list(columns)
    while limit and _width(comparison_table(rows, shown)) > limit:  # rule 2
        least = less_important(shown)
        if least is None:  # rule 3
            _print_cards(rows, columns)
            return
        shown.remove(least)
    table = comparison_table(rows, shown)
    place = console if console.is_terminal else SafeConsole(file=console.file, width=_width(table))
    place.print(table)
    left_out = [column.heading for column in columns if column not in shown]
    if left_out:
        console.print(
            f"left out at {limit} columns: {', '.join(left_out)}; a wider terminal or a pipe "
            "(… | less -S) shows them",
            soft_wrap=True,
        )


def _width_limit() -> int | None:
    """Rule 1."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return console.width if console.is_terminal else None


def _width(table: Table) -> int:
    """In characters, with nothing cut."""
    unlimited = SafeConsole(width=MOST_CHARACTERS)
    return unlimited.measure(table).maximum


def _print_cards(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    ranked = sorted(columns, key=lambda column: column.importance or 0)
    for row in rows:
        console.print(f"[bold]{escape(row['variant'])}[/bold]", soft_wrap=True)
        if row["failure"]:
            console.print("  failed")
        for column in ranked:
            if column.metric in row["metrics"]:
                number = cell(row["metrics"], column)
                console.print(f"  {column.heading:<{HEADING}} {number:>{NUMBER}}", soft_wrap=True)
    console.print(_notes(columns), soft_wrap=True)


def _notes(columns: Sequence[Column]) -> str:
    shown = {column.heading for column in columns}
    return ";\n".join(note for headings, note in NOTES.items() if not shown.isdisjoint(headings))


def print_wide(table: Table) -> None:
    """Print a table that a log file has room for."""
    wide = console if console.is_terminal else SafeConsole(width=LOG_WIDTH)
    wide.print(table)


def print_comparison(comparison: Mapping[str, Any], page: Path) -> None:
    """Print the table, the reasons of failures, the summary, and where the page is.

    Args:
        comparison: what ``comparison.json`` holds.
    """
    print_models(comparison["rows"])
    for row in comparison["rows"]:
        if row["failure"]:
            announce_failure(row["variant"], row["failure"])
    console.print(escape(comparison["summary"]), soft_wrap=True)
    for model, sentence in list(comparison.get("mistakes", {}).items())[:1]:  # the page has all
        console.print(escape(f"{model}: {sentence}"), soft_wrap=True)
    for cost in comparison.get("precisions", ()):
        if not cost["chance"]:
            console.print(escape(cost["sentence"]), soft_wrap=True)
    for file in comparison.get("magnitudes", ()):
        if file["overflow"]:
            console.print(f"[yellow]float16:[/yellow] {escape(file['overflow'])}", soft_wrap=True)
    console.print(f"report: {escape(str(page))}", soft_wrap=True)
