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

CELL_WIDTH = 480
BAR, GAP = 24, 8
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
    drawn = []
    for title, image_id in rows:
        picture, score = read_image(files[image_id]), scores[image_id]
        scale = CELL_WIDTH / picture.shape[1]
        picture = scaled(picture, scale)
        missed = set(score.judgement.missed())
        fates = [MISSED if box in missed else "" for box in range(len(score.truth))]
        causes = ["" if cause == RIGHT else str(cause) for cause in score.judgement.causes]
        sides = (
            (score.truth, fates, f"boxes: {len(fates)}, missed: {len(missed)} ({title})"),
            (score.found, causes, f"detections: {len(causes)}, wrong: {sum(map(bool, causes))}"),
        )
        left, right = (
            cell(picture, boxes, scale, classes, caption, notes) for boxes, notes, caption in sides
        )
        gap = np.full((len(left), GAP, 3), 255, np.uint8)
        drawn.append(np.hstack([left, gap, right]))
    return np.vstack(drawn)


def scaled(picture: NDArray[Any], scale: float) -> Picture:
    """A copy of a picture, ``scale`` times as wide and high."""
    result = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return result.astype(np.uint8, copy=False)


def cell(
    picture: Picture,
    found: Detections,
    scale: float,
    classes: Sequence[str],
    title: str,
    notes: Sequence[str] = (),
) -> Picture:
    """A scaled picture with boxes, below a bar with its title.

    Args:
        found: in pixels of the picture before it was scaled.
        title: ASCII, which is all that OpenCV writes.
        notes: see ``draw``.
    """
    shown = Detections(found.boxes * np.float32(scale), found.scores, found.labels)
    scene = draw(picture, shown, classes, notes)
    bar = np.full((BAR, scene.shape[1], 3), 255, np.uint8)
    cv2.putText(bar, title, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([bar, scene]).astype(np.uint8, copy=False)


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
