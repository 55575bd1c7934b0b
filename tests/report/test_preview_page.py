"""preview.html, preview.png and the terminal: boxes with names, counts, cautions."""

import io
import itertools
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from mmdet2tflite.report import terminal
from mmdet2tflite.report.preview_page import COLUMNS, draw_sheet, print_preview, render
from tests.report.golden import Shown, check_golden
from tests.report.html_page import Page

CLASSES = ["cat & dog", "<b>bird</b>"]
LOADERS = ("src", "href", "srcset", "data", "action", "poster")


def tally(name: str, **counts: int) -> dict[str, Any]:
    return {"name": name, **dict.fromkeys(COLUMNS, 0), **counts}


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    """A phase of five pictures of 160 x 80, the first with a box of each class."""
    file = tmp_path / "0.png"
    cv2.imwrite(str(file), np.full((80, 160, 3), 90, np.uint8))
    seen = {"step": "Pad", "picture": str(file), "size": [160, 80], "boxes": [], "labels": []}
    boxes = [[10.0, 20.0, 50.0, 60.0], [150.0, 0.0, 160.0, 10.0]]
    first = {**seen, "file": "a&b.png", "boxes": boxes, "labels": [0, 1]}
    phase = {
        "title": "without Mosaic",
        "epochs": [5, 9],
        "steps": [tally("Load", calls=5, new=7, kept=7), tally("Affine", given=7, vanished=3)],
        "pictures": [first, *({**seen, "file": f"{i}.png"} for i in range(4))],
        "story": [seen],
    }
    return {
        "experiment": "mine",
        "seed": 4,
        "input_size": [160, 80],
        "classes": CLASSES,
        "cautions": [{"found": "Affine drops <3>", "remedy": "stop it"}],
        "phases": [phase],
    }


def test_boxes_stand_in_the_scaled_picture_with_their_class(values):
    page = Page(render(values))
    # 160 pixels are shown as 320: everything is twice as large.
    corners = [[box[key] for key in ("x", "y", "width", "height")] for box in page.all("rect")]
    assert corners == [["20.0", "40.0", "80.0", "80.0"], ["300.0", "0.0", "20.0", "20.0"]]
    assert [page.text.count(name) for name in CLASSES] == [3, 3]  # label, hover, legend


def test_a_name_at_the_right_edge_ends_there(values):
    first, second = Page(render(values)).all("text")
    assert (first["x"], first.get("text-anchor")) == ("22.0", None)
    assert (second["x"], second["text-anchor"]) == ("318", "end")


@pytest.fixture
def turned(values) -> dict[str, Any]:
    """The same, but the first box is turned by the angle whose cosine is 0.8, about its centre."""
    first = values["phases"][0]["pictures"][0]
    first["oriented"] = [[50.0, 40.0, 40.0, 20.0, math.atan2(3, 4)], [155.0, 5.0, 10.0, 10.0, 0.0]]
    return values


def test_oriented_boxes_are_polygons_and_named_at_their_highest_corner(turned):
    page = Page(render(turned))
    # 20 · (0.8, 0.6) = (16, 12) and 10 · (-0.6, 0.8) = (-6, 8) from (50, 40), twice as large.
    points = [
        "80.0,40.0 144.0,88.0 120.0,120.0 56.0,72.0",
        "300.0,0.0 320.0,0.0 320.0,20.0 300.0,20.0",
    ]
    assert [box["points"] for box in page.all("polygon")] == points
    assert page.all("rect") == []
    first, second = page.all("text")
    assert (first["x"], first["y"], first.get("text-anchor")) == ("82.0", "38.0", None)
    assert (second["x"], second["y"], second["text-anchor"]) == ("318", "8", "end")


def test_a_name_is_in_the_picture_though_the_highest_corner_is_not(turned):
    turned["phases"][0]["pictures"][0]["oriented"][0][0] = 0.0
    assert Page(render(turned)).all("text")[0]["x"] == "2"


def test_the_sheet_shows_oriented_boxes_turned(turned):
    sheet = cv2.imdecode(np.frombuffer(draw_sheet(turned), np.uint8), cv2.IMREAD_COLOR)
    scene = sheet[40 + 24 : 40 + 24 + 240, :480]  # three times as large
    inked = (scene != 90).any(axis=2)
    corners = 3 * np.array([(40, 20), (72, 44), (60, 60), (28, 36)])
    for start, end in itertools.pairwise(corners[[1, 2, 3]]):
        points = np.linspace(start, end, 40)[4:-4].astype(int)
        assert inked[points[:, 1], points[:, 0]].all()
    assert not inked[175:185, 80:170].any()  # the lower side of the box around it


def test_the_page_loads_nothing(values):
    links = [
        value
        for _, attributes in Page(render(values)).elements
        for name, value in attributes.items()
        if name in LOADERS
    ]
    assert links
    assert all(link.startswith("data:") for link in links)


def test_the_sheet_has_a_row_of_four_and_one_of_the_rest(values):
    sheet = cv2.imdecode(np.frombuffer(draw_sheet(values), np.uint8), cv2.IMREAD_COLOR)
    # title 40; twice: bar 24, picture 160 x 80 at 480 x 240, gap 8
    assert sheet.shape == (40 + 2 * (24 + 240 + 8), 4 * 488, 3)
    rows = sheet[40 + 24 : 40 + 24 + 240], sheet[-248:-8]
    filled = [[bool((row[:, x] != 255).any()) for x in (240, 728, 1216, 1704)] for row in rows]
    assert filled == [[True] * 4, [True, False, False, False]]


def test_the_page_shows_counts_cautions_and_pictures(values):
    check_golden("preview.txt", str(Shown(render(values))))
    assert "nothing in the pipeline calls for caution" in render({**values, "cautions": []})


def test_the_terminal_shows_counts_cautions_and_files(values, monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=output, width=80, highlight=False))
    print_preview(values, [Path("out/preview.html")])
    check_golden("preview-terminal.txt", output.getvalue())
