"""Ground truth beside detections, drawn by supervision."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.evaluate.causes import MISSED, RIGHT
from mmdet2tflite.evaluate.image_score import ImageScore
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.images import read_image
from mmdet2tflite.safe_text import shortened

CELL_WIDTH, BAR, GAP, WHITE = 480, 24, 8, (255, 255, 255)
LONGEST_LABEL = 40
"""Characters of a class beside its box."""

type Picture = NDArray[np.uint8]


def draw_comparison(
    rows: Sequence[tuple[str, int]],
    files: Mapping[int, Path],
    scores: Mapping[int, ImageScore],
    classes: Sequence[str],
) -> Picture:
    """One row per image: on the left its ground truth, on the right what was found.

    A box says if it was missed, a detection why it is wrong (``evaluate.causes``).

    Args:
        rows: title in ASCII, and image id.
        files, scores: by image id.
        classes: names by label.

    Returns:
        Height x width x 3, BGR.

    Raises:
        DataError: an image cannot be read.
    """
    cells = []
    for title, image_id in rows:
        picture, score = read_image(files[image_id]), scores[image_id]
        missed = set(score.judgement.missed())
        fates = [MISSED if box in missed else "" for box in range(len(score.truth))]
        causes = ["" if cause == RIGHT else str(cause) for cause in score.judgement.causes]
        there = f"boxes: {len(fates)}, missed: {len(missed)} ({title})"
        found = f"detections: {len(causes)}, wrong: {sum(map(bool, causes))}"
        cells += [
            cell(picture, score.truth, classes, there, fates),
            cell(picture, score.found, classes, found, causes),
        ]
    return grid(cells, 2)


def grid(cells: Sequence[Picture], columns: int) -> Picture:
    """Cells in rows on white; a row is as high as its highest cell."""
    blank = bar("", CELL_WIDTH)
    rows = []
    for first in range(0, len(cells), columns):
        row = [*cells[first : first + columns], *[blank] * columns][:columns]
        height = max(map(len, row)) + GAP
        rows.append(np.hstack([_framed(content, height) for content in row]))
    return np.vstack(rows)


def _framed(content: Picture, height: int) -> Picture:
    framed = cv2.copyMakeBorder(
        content, 0, height - len(content), 0, GAP, cv2.BORDER_CONSTANT, value=WHITE
    )
    return framed.astype(np.uint8, copy=False)


def bar(text: str, width: int, height: int = BAR) -> Picture:
    """A line of ASCII, which is all that OpenCV writes, on white."""
    empty = np.full((height, width, 3), WHITE, np.uint8)
    place, size = (6, round(0.7 * height)), height / 48
    cv2.putText(empty, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)
    return empty


def cell(
    picture: NDArray[Any],
    found: Detections,
    classes: Sequence[str],
    title: str,
    notes: Sequence[str] = (),
) -> Picture:
    """A picture with boxes, scaled to the width of a cell, below a bar with its title.

    Args:
        found: in pixels of the picture.
        title: see ``bar``.
        notes: see ``draw``.
    """
    scale = CELL_WIDTH / picture.shape[1]
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    shown = Detections(found.boxes * np.float32(scale), found.scores, found.labels)
    scene = draw(scaled.astype(np.uint8, copy=False), shown, classes, notes)
    return np.vstack([bar(title, scene.shape[1]), scene])


def draw(
    picture: Picture, found: Detections, classes: Sequence[str], notes: Sequence[str] = ()
) -> Picture:
    """A copy of a picture (H x W x 3, BGR) with boxes, class names, and scores that are below 1.

    Args:
        found: in pixels of the picture.
        classes: names by label.
        notes: what else to write at each box, if anything; ASCII.
    """
    import supervision as sv  # two seconds, wasted on a run whose stages are all cached

    height, width = picture.shape[:2]
    # Boxes may reach beyond the picture, further than the integers that OpenCV draws with.
    inside = np.clip(found.boxes, 0, np.array([width - 1, height - 1] * 2, np.float32))
    drawn = sv.Detections(xyxy=inside, confidence=found.scores, class_id=found.labels)
    names = [shortened(classes[label], LONGEST_LABEL) for label in found.labels]
    texts = [
        " ".join([name, *([] if score == 1 else [f"{score:.2f}"]), note]).rstrip()
        for name, score, note in zip(names, found.scores, notes or [""] * len(names), strict=True)
    ]
    thickness, text_scale = max(2, min(height, width) // 400), max(0.4, min(height, width) / 1000)
    scene = sv.BoxAnnotator(thickness=thickness).annotate(picture.copy(), drawn)
    labels = sv.LabelAnnotator(
        text_scale=text_scale,
        text_thickness=thickness // 2,
        text_padding=thickness,
        smart_position=True,  # inside the picture, and apart from each other
    )
    return labels.annotate(scene, drawn, labels=texts).astype(np.uint8, copy=False)
