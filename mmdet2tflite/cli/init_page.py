"""What ``init`` prints: what was found, what is proposed and why, what to do next."""

import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median

from rich.markup import escape
from rich.table import Table

from mmdet2tflite.cli.draft import FORMATS, Draft
from mmdet2tflite.data.discovery.found import Found
from mmdet2tflite.data.discovery.inspection import Inspected
from mmdet2tflite.data.discovery.proposals import Setting
from mmdet2tflite.data.problems import MENDS
from mmdet2tflite.report.terminal import console

MOST_CLASSES = 20
SHOWN = (
    "dataset.split.val",
    "dataset.split.by",
    "detector",
    "training.epochs",
    "training.batch_size",
)
"""Settings that are printed with their reasons; the others stand in the file."""


def print_found(found: Found, inspected: Inspected) -> None:
    """Format, pictures, boxes by class, leaks, problems."""
    lines = _pairs(
        [
            ("found", f"{FORMATS[found.train.kind]}, {_split_words(found, inspected)}"),
            ("in", str(found.root)),
            ("pictures", f"{sum(inspected.pictures.values()):,}, {_sizes(inspected)}"),
            ("leaks", _leaks(inspected)),
            *(("mended", words) for words in _mended(inspected)),
            *(("note", note) for note in found.notes),
        ]
    )
    console.print(lines)
    console.print()
    console.print(_classes(inspected))
    console.print()


def print_proposals(made: Draft) -> None:
    """The settings that matter, with their reasons."""
    rows = []
    for key, setting in _leaves(made):
        if key.startswith(SHOWN):
            value = setting.value
            text = "x".join(map(str, value)) if isinstance(value, list) else str(value)
            rows.append((_label(key), f"[bold]{escape(text)}[/bold]: {escape(setting.why)}"))
    console.print(_pairs(rows, marked=True))
    console.print()


def _label(key: str) -> str:
    return "detector" if key == "detector.config" else key.partition(".")[2]


def print_next(out: Path) -> None:
    """The file, and the commands that take it."""
    file = shlex.quote(str(out))
    console.print(f"written: {escape(str(out))}", soft_wrap=True)
    console.print("next:", soft_wrap=True)
    console.print(f"  mmdet2tflite preview {escape(file)}", soft_wrap=True)
    console.print(f"  mmdet2tflite run {escape(file)}", soft_wrap=True)


def _pairs(rows: Iterable[tuple[str, str]], *, marked: bool = False) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, text in rows:
        table.add_row(name, text if marked else escape(text))
    return table


def _classes(inspected: Inspected) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("class", overflow="fold")
    for name in ("boxes", "median side"):
        table.add_column(name, justify="right", no_wrap=True)
    longer = median(max(size) for size in inspected.facts.sizes)
    sides = inspected.facts.sides
    for name in sorted(sides, key=lambda each: -len(sides[each]))[:MOST_CLASSES]:
        side = f"{median(sides[name]) * longer:.0f} px" if sides[name] else "–"
        table.add_row(escape(name), f"{len(sides[name]):,}", side)
    if len(sides) > MOST_CLASSES:
        table.add_row(f"and {len(sides) - MOST_CLASSES} more", "", "")
    return table


def _split_words(found: Found, inspected: Inspected) -> str:
    if found.needs_split:
        return "no validation split: one is made"
    return f"{inspected.pictures['train']:,} to train, {inspected.pictures['val']:,} to validate"


def _sizes(inspected: Inspected) -> str:
    counts = Counter(inspected.facts.sizes)
    (width, height), most = counts.most_common(1)[0]
    if len(counts) == 1:
        return f"all of {width}x{height}"
    return f"{len(counts):,} sizes, {most:,} of {width}x{height}"


def _leaks(inspected: Inspected) -> str:
    words = []
    if leaks := inspected.problems.get("leak"):
        words.append(f"{_number(leaks, 'picture')} in both splits")
    if inspected.apart and "split" not in inspected.settings:
        first, *_, last = inspected.apart[0]
        words.append(
            f"{_number(len(inspected.apart), 'group')} of look-alikes in both splits "
            f"({first} and {last}, for one)"
        )
    if same := inspected.problems.get("duplicate_file"):
        words.append(f"{_number(same, 'file')} twice")
    if inspected.groups:
        number, most = sum(inspected.groups), max(inspected.groups)
        words.append(f"{number:,} pictures look like others (up to {most:,} alike)")
    return "; ".join(words) or "none found"


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _mended(inspected: Inspected) -> list[str]:
    return [
        f"{inspected.problems[kind]:,} {kind}: {MENDS[kind]}"
        for kind in MENDS
        if kind in inspected.problems
    ]


def _leaves(made: Draft, prefix: str = "") -> Iterable[tuple[str, Setting]]:
    for key, each in made.items():
        if isinstance(each, Setting):
            yield f"{prefix}{key}", each
        else:
            yield from _leaves(each, f"{prefix}{key}.")
