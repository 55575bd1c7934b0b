"""The annotated boxes of the images that are evaluated."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdet2tflite.runtime.decode import Detections


@dataclass(frozen=True)
class Truth:
    """By image id: boxes to find (with a score of 1), crowds, files.

    ``areas`` are COCO's, in pixels of the original image: of the outline, where there is one.
    A detection in a crowd is neither right nor wrong.
    """

    boxes: Mapping[int, Detections]
    crowds: Mapping[int, Detections]
    areas: Mapping[int, list[float]]
    files: Mapping[int, Path]

    @classmethod
    def load(cls, annotations: Path, image_root: Path) -> "Truth":
        """Read a COCO json."""
        values = json.loads(annotations.read_text(encoding="utf-8"))
        files = {entry["id"]: image_root / entry["file_name"] for entry in values["images"]}
        boxes: dict[int, list[Any]] = {image_id: [] for image_id in files}
        crowds: dict[int, list[Any]] = {image_id: [] for image_id in files}
        for entry in values["annotations"]:
            (crowds if entry.get("iscrowd") else boxes)[entry["image_id"]].append(entry)
        return cls(
            {image_id: _boxes(found) for image_id, found in boxes.items()},
            {image_id: _boxes(found) for image_id, found in crowds.items()},
            {image_id: [entry["area"] for entry in found] for image_id, found in boxes.items()},
            files,
        )


def _boxes(entries: list[Any]) -> Detections:
    boxes = np.array([entry["bbox"] for entry in entries], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # COCO's x, y, width, height
    labels = np.array([entry["category_id"] for entry in entries], np.int64)
    return Detections(boxes, np.ones(len(entries), np.float32), labels)
