"""What a model said about the images: two files beside its report, enough to compare it later.

``detections.json`` holds COCO results, ``[{image_id, category_id, bbox: [x, y, width, height],
score}]``, a category id being the index of a class. Those of oriented boxes, and no others, have
their corners as well, ``segmentation: [[x1, y1, … x4, y4]]``; ``bbox`` is the upright box around
them. ``outputs.npz`` holds the raw outputs by name, images along the first axis (P x C x H x W),
for the first P of ``image_ids``; it also says whether the boxes are oriented, for images that have
none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import DataError
from mmdet2tflite.runtime.decode import Detections, Floats
from mmdet2tflite.runtime.decode.corners import boxes_of

DETECTIONS, OUTPUTS = "detections.json", "outputs.npz"
IMAGE_IDS = "image_ids"
"""An array of ``outputs.npz`` that is no output: the ids of all evaluated images."""
ORIENTED = "oriented"
"""Another one, there only if the boxes are oriented."""
CORNERS = "segmentation"
"""COCO's name for outlines; an oriented box is one of four corners."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The answers of one model.

    ``decoded``: there is a decoder for its outputs; otherwise there are no detections.
    """

    detections: Mapping[int, Detections]
    outputs: Mapping[str, Floats]
    decoded: bool = True

    @property
    def oriented(self) -> bool:
        """Whether the boxes are oriented ones; those of all images are of one kind."""
        return are_oriented(self.detections)

    def save(self, folder: Path) -> None:
        """Write both files; without a decoder, the outputs alone."""
        if self.decoded:
            text = json.dumps(self.coco_results(), allow_nan=False)
            (folder / DETECTIONS).write_text(text, encoding="utf-8")
        arrays: dict[str, Any] = {IMAGE_IDS: np.array(list(self.detections), np.int64)}
        if self.oriented:
            arrays[ORIENTED] = np.array(True)
        np.savez(folder / OUTPUTS, allow_pickle=False, **arrays, **self.outputs)

    @classmethod
    def load(cls, folder: Path) -> "Evaluated":
        """Read what ``save`` wrote."""
        with np.load(folder / OUTPUTS, allow_pickle=False) as arrays:
            outputs = dict(arrays)
        file = folder / DETECTIONS
        decoded = file.exists()
        results = json.loads(file.read_text(encoding="utf-8")) if decoded else []
        image_ids = outputs.pop(IMAGE_IDS).tolist()
        oriented = outputs.pop(ORIENTED, None) is not None
        return cls(from_results(results, image_ids, oriented=oriented), outputs, decoded)

    def coco_results(self) -> list[dict[str, Any]]:
        """All detections as COCO results."""
        return [
            entry
            for image_id, detections in self.detections.items()
            for entry in to_results(image_id, detections)
        ]


def are_oriented(detections: Mapping[int, Detections]) -> bool:
    """Whether a model's detections, by image id, are oriented boxes."""
    return any(found.oriented is not None for found in detections.values())


def to_results(image_id: int, detections: Detections) -> list[dict[str, Any]]:
    """One entry per detection, in their order."""
    # In double precision, so that x1 + (x2 - x1) is x2 again.
    boxes = detections.boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    entries: list[dict[str, Any]] = [
        {"image_id": image_id, "category_id": label, "bbox": box, "score": score}
        for box, score, label in zip(
            boxes.tolist(), detections.scores.tolist(), detections.labels.tolist(), strict=True
        )
    ]
    if detections.oriented is not None:
        corners = detections.corners.reshape(-1, 8).tolist()
        for entry, outline in zip(entries, corners, strict=True):
            entry[CORNERS] = [outline]
    return entries


def from_results(
    results: Sequence[Mapping[str, Any]], image_ids: Sequence[int], *, oriented: bool = False
) -> dict[int, Detections]:
    """Detections per image; an image without an entry has none."""
    entries: dict[int, list[Mapping[str, Any]]] = {image_id: [] for image_id in image_ids}
    for entry in results:
        entries[entry["image_id"]].append(entry)
    return {image_id: _detections(found, oriented) for image_id, found in entries.items()}


def oriented_boxes(entries: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """The boxes whose corners are the segmentations of COCO entries: N x 5, see ``Detections``.

    Raises:
        DataError: an entry has another segmentation than one of four corners, or none.
    """
    outlines = [entry.get(CORNERS) for entry in entries]
    for entry, outline in zip(entries, outlines, strict=True):
        if not isinstance(outline, list) or [len(part) for part in outline] != [8]:
            raise DataError(
                f"the annotation {entry.get('id')} of image {entry['image_id']} is no oriented box",
                "a segmentation of four corners: the detector finds oriented boxes",
                "use a data set with oriented boxes (docs/datasets.md)",
            )
    return boxes_of(np.array(outlines, np.float64).reshape(-1, 4, 2))


def _detections(entries: Sequence[Mapping[str, Any]], oriented: bool) -> Detections:
    boxes = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        boxes.astype(np.float32),
        np.array([entry["score"] for entry in entries], np.float32),
        np.array([entry["category_id"] for entry in entries], np.int64),
        oriented=oriented_boxes(entries).astype(np.float32) if oriented else None,
    )
