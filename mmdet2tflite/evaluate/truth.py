"""The annotated boxes of the images that are evaluated."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdet2tflite.evaluate.results import oriented_boxes
from mmdet2tflite.runtime.decode import Detections
from mmdet2tflite.runtime.decode.corners import upright


@dataclass(frozen=True)
class Truth:
    """By image id: boxes to find (with a score of 1), crowds, files.

    ``areas`` are COCO's, in pixels of the original image: of the outline, where there is one.
    A detection in a crowd is neither right nor wrong. Boxes and crowds are oriented if those of the
    detector are.
    """

    boxes: Mapping[int, Detections]
    crowds: Mapping[int, Detections]
    areas: Mapping[int, list[float]]
    files: Mapping[int, Path]

    @classmethod
    def load(cls, annotations: Path, image_root: Path, *, oriented: bool = False) -> "Truth":
        """Read a COCO json.

        Args:
            oriented: the boxes are those of the segmentations' corners, as a detector of oriented
                boxes has to find them. An upright one has to find ``bbox``, whatever else there is.

        Raises:
            DataError: they shall be oriented, and an annotation has no four corners.
        """
        values = json.loads(annotations.read_text(encoding="utf-8"))
        files = {entry["id"]: image_root / entry["file_name"] for entry in values["images"]}
        boxes: dict[int, list[Any]] = {image_id: [] for image_id in files}
        crowds: dict[int, list[Any]] = {image_id: [] for image_id in files}
        for entry in values["annotations"]:
            (crowds if entry.get("iscrowd") else boxes)[entry["image_id"]].append(entry)
        return cls(
            {image_id: _boxes(found, oriented) for image_id, found in boxes.items()},
            {image_id: _boxes(found, oriented) for image_id, found in crowds.items()},
            {image_id: [entry["area"] for entry in found] for image_id, found in boxes.items()},
            files,
        )


def _boxes(entries: list[Any], oriented: bool) -> Detections:
    scores = np.ones(len(entries), np.float32)
    labels = np.array([entry["category_id"] for entry in entries], np.int64)
    if oriented:
        turned = oriented_boxes(entries).astype(np.float32)
        return Detections(upright(turned), scores, labels, oriented=turned)
    boxes = np.array([entry["bbox"] for entry in entries], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # COCO's x, y, width, height
    return Detections(boxes, scores, labels)
