"""``preview.html`` and the tables in the terminal: what each transform did to the boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from mmdet2tflite.report import terminal
from mmdet2tflite.report.gallery import COLOURS, WIDTH, Thumbnail
from mmdet2tflite.report.page import open_template

TEMPLATE = Path(__file__).with_name("preview.html")


@dataclass(frozen=True)
class Column:
    """A column of the table: a key of a transform's tally."""

    key: str
    heading: str
    meaning: str
    bad: bool = False


COLUMNS = (
    Column("calls", "calls", "how often the transform ran"),
    Column("new", "new", "boxes that it brought in"),
    Column("given", "given", "boxes that it was given, those of mixed-in images included"),
    Column("kept", "kept", "boxes that it passed on"),
    Column("cut", "cut", "kept, with less than half of the box in the picture"),
    Column("left", "left", "dropped, with less than half of the box in the picture"),
    Column("small", "small", "dropped, because a side was not longer than min_gt_bbox_wh"),
    Column("vanished", "vanished", "dropped, with half of the box or more in the picture", True),
)


def render(values: Mapping[str, Any]) -> str:
    """The page: one file, nothing to download. ``values`` with the pictures' files."""
    classes = values["classes"]
    used = {
        label
        for phase in values["phases"]
        for seen in (*phase["pictures"], *phase["story"])
        for label in seen["labels"]
    }
    return open_template(TEMPLATE).render(
        **{key: value for key, value in values.items() if key != "phases"},
        phases=[_phase(phase, classes) for phase in values["phases"]],
        columns=COLUMNS,
        colours=COLOURS,
        width=WIDTH,
        legend={classes[label]: label % COLOURS for label in sorted(used)},
    )


def _phase(phase: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    def figures(seen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [_figure(one, classes) for one in seen]

    return {**phase, "pictures": figures(phase["pictures"]), "story": figures(phase["story"])}


def _figure(seen: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    thumbnail = Thumbnail.load(Path(seen["picture"]))
    rectangles = [
        {
            "x": round(x1 * thumbnail.scale, 1),
            "y": round(y1 * thumbnail.scale, 1),
            "width": round((x2 - x1) * thumbnail.scale, 1),
            "height": round((y2 - y1) * thumbnail.scale, 1),
            "colour": label % COLOURS,
            "name": classes[label],
        }
        for (x1, y1, x2, y2), label in zip(seen["boxes"], seen["labels"], strict=True)
    ]
    return {**seen, "uri": thumbnail.uri, "shown_height": thumbnail.height, "boxes": rectangles}


def print_preview(values: Mapping[str, Any], files: Sequence[Path]) -> None:
    """A table for each phase, the cautions, and where the files are."""
    for phase in values["phases"]:
        terminal.console.print(_table(phase))
    for caution in values["cautions"]:
        text = f"{caution['found']}\n  to do: {caution['remedy']}"
        terminal.console.print(f"[yellow]caution:[/yellow] {escape(text)}", soft_wrap=True)
    for file in files:
        terminal.console.print(escape(str(file)), soft_wrap=True)


def _table(phase: Mapping[str, Any]) -> Table:
    first, last = phase["epochs"]
    title = f"{phase['title']}: epochs {first} to {last}, {len(phase['pictures'])} images"
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE, pad_edge=False)
    table.add_column("transform", no_wrap=True)
    for column in COLUMNS:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for step in phase["steps"]:
        cells = [
            f"[red]{step[column.key]}[/red]"
            if column.bad and step[column.key]
            else str(step[column.key] or "–")
            for column in COLUMNS
        ]
        table.add_row(escape(step["name"]), *cells)
    return table
