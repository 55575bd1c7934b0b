"""What a model said about the images: two files beside its report, enough to compare it later.

``detections.json`` holds COCO results, ``[{image_id, category_id, bbox: [x, y, width, height],
score}]``, a category id being the index of a class. ``outputs.npz`` holds the raw outputs by name,
images along the first axis (P x C x H x W), for the first P of ``image_ids``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmdet2tflite.runtime.decode import Detections, Floats

DETECTIONS, OUTPUTS = "detections.json", "outputs.npz"
IMAGE_IDS = "image_ids"
"""The one array of ``outputs.npz`` that is no output: the ids of all evaluated images."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The answers of one model.

    ``decoded``: there is a decoder for its outputs; otherwise there are no detections.
    """

    detections: Mapping[int, Detections]
    outputs: Mapping[str, Floats]
    decoded: bool = True

    def save(self, folder: Path) -> None:
        """Write both files; without a decoder, the outputs alone."""
        if self.decoded:
            text = json.dumps(self.coco_results(), allow_nan=False)
            (folder / DETECTIONS).write_text(text, encoding="utf-8")
        arrays: dict[str, Any] = {IMAGE_IDS: np.array(list(self.detections), np.int64)}
        np.savez(folder / OUTPUTS, allow_pickle=False, **arrays, **self.outputs)

    @classmethod
    def load(cls, folder: Path) -> "Evaluated":
        """Read what ``save`` wrote."""
        with np.load(folder / OUTPUTS, allow_pickle=False) as arrays:
            outputs = dict(arrays)
        file = folder / DETECTIONS
        decoded = file.exists()
        results = json.loads(file.read_text(encoding="utf-8")) if decoded else []
        return cls(from_results(results, outputs.pop(IMAGE_IDS).tolist()), outputs, decoded)

    def coco_results(self) -> list[dict[str, Any]]:
        """All detections as COCO results."""
        return [
            entry
            for image_id, detections in self.detections.items()
            for entry in to_results(image_id, detections)
        ]


def to_results(image_id: int, detections: Detections) -> list[dict[str, Any]]:
    """One entry per detection, in their order."""
    # In double precision, so that x1 + (x2 - x1) is x2 again.
    boxes = detections.boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {"image_id": image_id, "category_id": label, "bbox": box, "score": score}
        for box, score, label in zip(
            boxes.tolist(), detections.scores.tolist(), detections.labels.tolist(), strict=True
        )
    ]


def from_results(
    results: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> dict[int, Detections]:
    """Detections per image; an image without an entry has none."""
    entries: dict[int, list[Mapping[str, Any]]] = {image_id: [] for image_id in image_ids}
    for entry in results:
        entries[entry["image_id"]].append(entry)
    return {image_id: _detections(found) for image_id, found in entries.items()}


def _detections(entries: Sequence[Mapping[str, Any]]) -> Detections:
    boxes = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        boxes.astype(np.float32),
        np.array([entry["score"] for entry in entries], np.float32),
        np.array([entry["category_id"] for entry in entries], np.int64),
    )
