"""A benchmark for people: a page in Markdown, a table in the terminal."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.conversion.timing import SERIES
from mmdet2tflite.errors import one_line

type Values = Mapping[str, Any]

DASH = "–"

PROTOCOL = """\
All models run in one process on the same image, without pre- and post-processing. They take turns,
A B C A B C …, {rounds} rounds after one that does not count; a turn begins when all threads have
come to rest and is {warmup} untimed and {runs} timed runs, whose median counts. A ratio is that of
two turns of the same round. One validation image; mAP is over all {images} of them."""


def save(results: Values, folder: Path) -> Path:
    """Write ``<date>-<experiment>.md`` and ``.json``; return the former."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{results['date']}-{results['experiment']}.md"
    text = json.dumps(results, indent=1, allow_nan=False, ensure_ascii=False)
    page.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    page.write_text(markdown(results), encoding="utf-8")
    return page


def headings() -> list[str]:
    """Of the main table."""
    return ["file", "runs in", "mAP", "MB", "PAD", *(series.name for series in SERIES)]


def cells(row: Values) -> list[str]:
    """A row of the main table: each ratio with its quartiles."""
    metrics = row["metrics"]
    measured = [
        _number(metrics, name, form)
        for name, form in (("map", ".4f"), ("size_mb", ".2f"), ("pads", ".0f"))
    ]
    if row["failure"]:
        measured[0] = "failed"
    latencies = [_ratio(row["latency"].get(series.name)) for series in SERIES]
    return [row["name"], row["runtime"] or DASH, *measured, *latencies]


def table(results: Values) -> Table:
    """The main table for the terminal."""
    found = Table(caption=f"times as long as {results['base']}: median (quartiles)")
    for number, heading in enumerate(headings()):
        found.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    for row in results["rows"]:
        found.add_row(*cells(row))
    return found


def markdown(results: Values) -> str:
    """The whole page."""
    width, height = results["input_size"]
    rows = results["rows"]
    failed = [f"* **{row['name']}**: {one_line(row['failure'])}" for row in rows if row["failure"]]
    left_out = [f"* **{name}**: {why}." for name, why in results["not_measured"].items()]
    return "\n".join(
        [
            f"# {results['experiment']}, {results['date']}",
            "",
            f"{results['detector']}, {width}x{height}, {results['classes']} classes, the same "
            f"weights for all. Latencies are ratios to **{results['base']}**: median (quartiles).",
            "",
            *_table(headings(), [cells(row) for row in rows]),
            "",
            *(["## Failed", "", *failed, ""] if failed else []),
            "## Not measured",
            "",
            *left_out,
            "",
            "## How each was made",
            "",
            *(f"* **{row['name']}**: `{row['command']}`" for row in rows),
            "",
            f"Calibration of all that take it: the same {results['calibration_images']} training "
            "images.",
            "",
            "## Spread",
            "",
            *_table(
                ["series", "file", "ms", "fastest", "ratio", "quartiles", "extremes"],
                list(_spreads(rows)),
            ),
            "",
            "## Measured",
            "",
            PROTOCOL.format(**results["protocol"], images=results["images"]),
            "",
            *_machine(results),
            "",
        ]
    )


def _spreads(rows: Sequence[Values]) -> Sequence[list[str]]:
    return [
        [
            series.name,
            row["name"],
            f"{found['ms']['median']:.2f}",
            f"{found['ms']['low']:.2f}",
            f"{found['ratio']['median']:.3f}",
            f"{found['ratio']['lower']:.3f} to {found['ratio']['upper']:.3f}",
            f"{found['ratio']['low']:.3f} to {found['ratio']['high']:.3f}",
        ]
        for series in SERIES
        for row in rows
        if (found := row["latency"].get(series.name))
    ]


def _machine(results: Values) -> list[str]:
    machine = results["machine"]
    versions = ", ".join(f"{tool} {number}" for tool, number in results["versions"].items())
    return [
        f"* {machine['cpu']}, {machine['cores']} cores; {machine['system']}; Python "
        f"{machine['python']}",
        f"* processes running or waiting, averaged over the minute before: {machine['load']:.2f}; "
        f"over the last minute of it: {machine['load_after']:.2f}",
        f"* {versions}",
        f"* `{results['command']}`",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _number(metrics: Values, name: str, form: str) -> str:
    return format(metrics[name], form) if name in metrics else DASH


def _ratio(latency: Values | None) -> str:
    if latency is None:
        return DASH
    ratio = latency["ratio"]
    return f"{ratio['median']:.2f} ({ratio['lower']:.2f}–{ratio['upper']:.2f})"
