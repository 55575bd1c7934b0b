"""Ground truth beside detections, drawn by supervision."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.evaluate.decode import Detections

SHOWN_SCORE = 0.3
CELL_WIDTH = 480
IMAGES = 6
BAR, GAP = 24, 8

type Picture = NDArray[np.uint8]


def draw_comparison(
    annotations: Mapping[str, Any],
    image_root: Path,
    detections: Mapping[int, Detections],
    classes: Sequence[str],
    images: int = IMAGES,
) -> Picture:
    """One row per image: on the left its ground truth, on the right what was found.

    Args:
        annotations: a COCO json; its first images are drawn.
        detections: by image id, in pixels; those below a score of 0.3 are left out.

    Returns:
        Height x width x 3, BGR.
    """
    rows = []
    for entry in annotations["images"][:images]:
        picture = cv2.imread(str(image_root / entry["file_name"]), cv2.IMREAD_COLOR)
        if picture is None:
            continue  # evaluation has already refused such an image
        scale = CELL_WIDTH / picture.shape[1]
        picture = scaled(picture, scale)
        truth = _ground_truth(annotations, entry["id"])
        found = detections[entry["id"]]
        found = found[found.scores >= SHOWN_SCORE]
        left = cell(picture, truth, scale, classes, f"ground truth: {len(truth)}")
        right = cell(picture, found, scale, classes, f"detected: {len(found)}")
        gap = np.full((len(left), GAP, 3), 255, np.uint8)
        rows.append(np.hstack([left, gap, right]))
    return np.vstack(rows)


def scaled(picture: NDArray[Any], scale: float) -> Picture:
    """A copy of a picture, ``scale`` times as wide and high."""
    result = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return result.astype(np.uint8, copy=False)


def _ground_truth(annotations: Mapping[str, Any], image_id: int) -> Detections:
    entries = [a for a in annotations["annotations"] if a["image_id"] == image_id]
    boxes = np.array([a["bbox"] for a in entries], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # COCO's x, y, width, height
    labels = np.array([a["category_id"] for a in entries], np.int64)
    return Detections(boxes, np.ones(len(entries), np.float32), labels)


def cell(
    picture: Picture, found: Detections, scale: float, classes: Sequence[str], title: str
) -> Picture:
    """A scaled picture with boxes, below a bar with its title.

    Args:
        found: in pixels of the picture before it was scaled.
        title: ASCII, which is all that OpenCV writes.
    """
    shown = Detections(found.boxes * np.float32(scale), found.scores, found.labels)
    scene = draw(picture, shown, classes)
    bar = np.full((BAR, scene.shape[1], 3), 255, np.uint8)
    cv2.putText(bar, title, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([bar, scene]).astype(np.uint8, copy=False)


def draw(picture: Picture, found: Detections, classes: Sequence[str]) -> Picture:
    """A copy of a picture (H x W x 3, BGR) with boxes, class names, and scores that are below 1.

    Args:
        found: in pixels of the picture.
        classes: names by label.
    """
    import supervision as sv  # two seconds, wasted on a run whose stages are all cached

    height, width = picture.shape[:2]
    # Boxes may reach beyond the picture, further than the integers that OpenCV draws with.
    inside = np.clip(found.boxes, 0, np.array([width - 1, height - 1] * 2, np.float32))
    drawn = sv.Detections(xyxy=inside, confidence=found.scores, class_id=found.labels)
    names = [classes[label] for label in found.labels]
    texts = [
        name if score == 1 else f"{name} {score:.2f}"
        for name, score in zip(names, found.scores, strict=True)
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
