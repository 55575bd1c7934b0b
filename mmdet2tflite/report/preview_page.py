"""``preview.html``, ``preview.png`` and the terminal: what each transform did to the boxes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from mmdet2tflite.evaluate.pictures import CELL_WIDTH, GAP, bar, cell, grid
from mmdet2tflite.report import terminal
from mmdet2tflite.report.gallery import COLOURS, WIDTH, Thumbnail, legend, outlines
from mmdet2tflite.report.page import open_template
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.images import read_image

TEMPLATE = Path(__file__).with_name("preview.html")
COLUMNS = {
    "calls": "how often the transform ran",
    "new": "boxes that it brought in",
    "given": "boxes that it was given, those of mixed-in images included",
    "kept": "boxes that it passed on",
    "cut": "kept, with less than half of the box in the picture",
    "left": "dropped, with less than half of the box in the picture",
    "small": "dropped, because a side was not longer than min_gt_bbox_wh",
    "vanished": "dropped, with half of the box or more in the picture",
}
"""A transform's counts, and what they mean."""
BAD = "vanished"
"""What a sound pipeline has none of."""
SHEET_COLUMNS, HEADING = 4, 40
"""Of ``preview.png``: pictures in a row, and the height of a phase's title."""


def render(values: Mapping[str, Any]) -> str:
    """The page: one file, nothing to download. ``values`` with the pictures' files."""
    classes, phases = values["classes"], values["phases"]
    seen = (each for phase in phases for each in (*phase["pictures"], *phase["story"]))
    return open_template(TEMPLATE).render(
        **values,
        figure_of=lambda seen: _figure(seen, classes),
        columns=COLUMNS,
        bad=BAD,
        colours=COLOURS,
        width=WIDTH,
        legend=legend(map(_boxes, seen), classes),
    )


def _boxes(seen: Mapping[str, Any]) -> Detections:
    boxes = np.array(seen["boxes"], np.float32).reshape(-1, 4)
    scores, labels = np.ones(len(boxes), np.float32), np.array(seen["labels"], np.int64)
    oriented = np.array(seen["oriented"], np.float32) if "oriented" in seen else None
    return Detections(boxes, scores, labels, oriented=oriented)


def _figure(seen: Mapping[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    thumbnail = Thumbnail.load(Path(seen["picture"]))
    boxes = outlines(_boxes(seen), classes, thumbnail.scale, {})
    return {"uri": thumbnail.uri, "height": thumbnail.height, "boxes": boxes}


def draw_sheet(values: Mapping[str, Any]) -> bytes:
    """``preview.png``: for each phase its title, and its pictures in rows of four."""
    parts = []
    for phase in values["phases"]:
        first, last = phase["epochs"]
        title = f"{phase['title']}: epochs {first} to {last}"
        parts.append(bar(title, SHEET_COLUMNS * (CELL_WIDTH + GAP), HEADING))
        cells = []
        for number, seen in enumerate(phase["pictures"], 1):
            picture, found = read_image(Path(seen["picture"])), _boxes(seen)
            title = f"{number}: {len(found)} boxes"
            cells.append(cell(picture, found, values["classes"], title))
        parts.append(grid(cells, SHEET_COLUMNS))
    _, encoded = cv2.imencode(".png", np.vstack(parts))
    return encoded.tobytes()


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
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for step in phase["steps"]:
        cells = [str(step[name] or "–") for name in COLUMNS]
        if step[BAD]:
            cells[list(COLUMNS).index(BAD)] = f"[red]{step[BAD]}[/red]"
        table.add_row(escape(step["name"]), *cells)
    return table
