"""Ground truth beside detections, drawn by supervision."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.data.quadrangles import clip
from mmdet2tflite.evaluate.causes import MISSED, RIGHT
from mmdet2tflite.evaluate.image_score import ImageScore
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.images import read_image
from mmdet2tflite.safe_text import shortened

CELL_WIDTH, BAR, GAP, WHITE = 480, 24, 8, (255, 255, 255)
LONGEST_LABEL = 40
"""Characters of a class beside its box."""
MOST_CORNERS = 8
"""Of a quadrangle, when each border of a picture has cut off one."""

type Picture = NDArray[np.uint8]
type Outlines = NDArray[np.float64]
"""N x K x 2: x and y of the K corners of each box, in turn."""


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
    scene = draw(scaled.astype(np.uint8, copy=False), _scaled(found, scale), classes, notes)
    return np.vstack([bar(title, scene.shape[1]), scene])


def _scaled(found: Detections, scale: float) -> Detections:
    boxes, oriented = found.boxes * np.float32(scale), found.oriented
    if oriented is not None:
        oriented = oriented * np.array([scale] * 4 + [1], np.float32)  # an angle stays
    return Detections(boxes, found.scores, found.labels, oriented=oriented)


def draw(
    picture: Picture, found: Detections, classes: Sequence[str], notes: Sequence[str] = ()
) -> Picture:
    """A copy of a picture (H x W x 3, BGR) with boxes, class names, and scores that are below 1.

    Args:
        found: in pixels of the picture. Of a box that reaches beyond it, the part inside is drawn.
        classes: names by label.
        notes: what else to write at each box, if anything; ASCII.
    """
    import supervision as sv  # two seconds, wasted on a run whose stages are all cached

    height, width = picture.shape[:2]
    names = [shortened(classes[label], LONGEST_LABEL) for label in found.labels]
    texts = [
        " ".join([name, *([] if score == 1 else [f"{score:.2f}"]), note]).rstrip()
        for name, score, note in zip(names, found.scores, notes or [""] * len(names), strict=True)
    ]
    thickness, text_scale = max(2, min(height, width) // 400), max(0.4, min(height, width) / 1000)
    known: dict[str, Any] = {"confidence": found.scores, "class_id": found.labels}
    # Boxes may reach beyond the picture, further than the integers that OpenCV draws with.
    if found.oriented is None:
        inside = np.clip(found.boxes, 0, np.array([width - 1, height - 1] * 2, np.float32))
        labelled = sv.Detections(xyxy=inside, **known)
        scene = sv.BoxAnnotator(thickness=thickness).annotate(picture.copy(), labelled)
    else:
        outlines = _outlines_inside(found.corners, width - 1, height - 1)
        around = np.concatenate([outlines.min(axis=1), outlines.max(axis=1)], axis=1)
        drawn = sv.Detections(xyxy=around, data={"xyxyxyxy": outlines}, **known)
        scene = sv.OrientedBoxAnnotator(thickness=thickness).annotate(picture.copy(), drawn)
        # A label stands on the upper left corner of its box.
        labelled = sv.Detections(xyxy=np.tile(highest(outlines), 2), **known)
    labels = sv.LabelAnnotator(
        text_scale=text_scale,
        text_thickness=thickness // 2,
        text_padding=thickness,
        smart_position=True,  # inside the picture, and apart from each other
    )
    return labels.annotate(scene, labelled, labels=texts).astype(np.uint8, copy=False)


def highest(outlines: Outlines) -> NDArray[np.float64]:
    """The highest corner of each box, the leftmost of several: N x 2.

    A label that stands on it hides nothing of the box.
    """
    x, y = np.moveaxis(outlines.round(1), 2, 0)  # sines and cosines are rounded, too
    order = np.lexsort((x, y))
    return np.take_along_axis(outlines, order[:, :1, None], axis=1)[:, 0]


def _outlines_inside(corners: Outlines, right: float, bottom: float) -> Outlines:
    """What lies between 0, 0 and a picture's last pixel: N x 8 x 2, the last corner repeated.

    Of a box that is nowhere inside, the point of the border that is nearest to its centre.
    """
    outlines = np.empty((len(corners), MOST_CORNERS, 2))
    for number, box in enumerate(corners):
        inside = clip(box, right, bottom)
        if not len(inside):
            inside = np.clip(box.mean(axis=0, keepdims=True), 0, (right, bottom))
        outlines[number] = inside[np.minimum(np.arange(MOST_CORNERS), len(inside) - 1)]
    return outlines
