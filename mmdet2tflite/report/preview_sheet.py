"""``preview.png``: every phase's pictures on one sheet, for a terminal, a mail or MLflow."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from mmdet2tflite.evaluate.pictures import Picture, cell, scaled
from mmdet2tflite.runtime.decode import Detections

COLUMNS = 4
CELL_WIDTH = 400
BAR, GAP = 40, 8


def draw_sheet(values: Mapping[str, Any]) -> bytes:
    """A PNG: for each phase its title, and its pictures in rows of four."""
    parts = []
    for phase in values["phases"]:
        first, last = phase["epochs"]
        parts.append(_bar(f"{phase['title']}: epochs {first} to {last}"))
        cells = [_cell(i, seen, values["classes"]) for i, seen in enumerate(phase["pictures"], 1)]
        parts += [_row(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    _, encoded = cv2.imencode(".png", np.vstack(parts))
    return encoded.tobytes()


def _cell(number: int, seen: Mapping[str, Any], classes: Sequence[str]) -> Picture:
    picture = cv2.imread(seen["picture"], cv2.IMREAD_COLOR)
    assert picture is not None  # written a moment ago
    scale = CELL_WIDTH / picture.shape[1]
    boxes = np.array(seen["boxes"], np.float32).reshape(-1, 4)
    labels = np.array(seen["labels"], np.int64)
    found = Detections(boxes, np.ones(len(boxes), np.float32), labels)
    return cell(scaled(picture, scale), found, scale, classes, f"{number}: {len(boxes)} boxes")


def _bar(text: str) -> Picture:
    bar = np.full((BAR, COLUMNS * (CELL_WIDTH + GAP) - GAP, 3), 255, np.uint8)
    cv2.putText(bar, text, (6, 27), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2, cv2.LINE_AA)
    return bar


def _row(cells: Sequence[Picture]) -> Picture:
    """Cells side by side on white, as high as the highest and as wide as a full row."""
    height = max(len(content) for content in cells) + GAP
    row = np.full((height, COLUMNS * (CELL_WIDTH + GAP) - GAP, 3), 255, np.uint8)
    for column, content in enumerate(cells):
        left = column * (CELL_WIDTH + GAP)
        row[: len(content), left : left + CELL_WIDTH] = content
    return row
