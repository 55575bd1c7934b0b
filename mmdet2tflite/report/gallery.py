"""Which images to show of a model, and what to draw on them.

1. An image's score is F1 = 2 TP / (2 TP + FP + FN) of the detections with a score of at least 0.3;
   an image with neither boxes nor detections has 1. A detection is right (TP) if, by descending
   score, a free box of its class overlaps it by an IoU of at least 0.5. Crowds are no boxes.
2. Shown are a model's best image, its worst, and the one whose F1 differs most from that of the
   first model. Where two are equal, the one with more boxes is shown.
3. A model whose every image has the first model's F1 has no such last one.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.decode import Detections
from mmdet2tflite.evaluate.parity import match
from mmdet2tflite.evaluate.results import Evaluated

SHOWN_SCORE = 0.3
WIDTH = 320
JPEG_QUALITY = 80


@dataclass(frozen=True)
class ImageScore:
    """Rule 1 of one image: which boxes were found, which detections are right."""

    truth: Detections
    found: Detections
    pairs: Mapping[int, int]
    """Index into ``found`` → index into ``truth``."""

    @property
    def f1(self) -> float:
        """Between 0 and 1."""
        counted = len(self.truth) + len(self.found)
        return 2 * len(self.pairs) / counted if counted else 1.0

    def numbers(self) -> dict[str, float]:
        """As they stand in ``comparison.json``."""
        right = len(self.pairs)
        wrong, missed = len(self.found) - right, len(self.truth) - right
        return {"f1": self.f1, "right": right, "wrong": wrong, "missed": missed}


def score_image(truth: Detections, found: Detections) -> ImageScore:
    """Rule 1."""
    shown = found[found.scores >= SHOWN_SCORE]
    pairs = {i: j for i, (j, _) in match(shown, truth).items()}
    return ImageScore(truth, shown, pairs)


@dataclass(frozen=True)
class Truth:
    """The annotated boxes and the files of the evaluated images, by image id."""

    boxes: Mapping[int, Detections]
    files: Mapping[int, Path]

    @classmethod
    def load(cls, annotations: Path, image_root: Path) -> "Truth":
        """Read a COCO json."""
        values = json.loads(annotations.read_text(encoding="utf-8"))
        files = {entry["id"]: image_root / entry["file_name"] for entry in values["images"]}
        entries: dict[int, list[Any]] = {image_id: [] for image_id in files}
        for entry in values["annotations"]:
            if not entry.get("iscrowd"):
                entries[entry["image_id"]].append(entry)
        return cls({image_id: _boxes(found) for image_id, found in entries.items()}, files)

    def scores(self, report: Path) -> dict[int, ImageScore]:
        """Of all images that the report in this folder is about."""
        found = Evaluated.load(report).detections
        return {image_id: score_image(self.boxes[image_id], found[image_id]) for image_id in found}


def _boxes(entries: list[Any]) -> Detections:
    boxes = np.array([entry["bbox"] for entry in entries], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]  # COCO's x, y, width, height
    labels = np.array([entry["category_id"] for entry in entries], np.int64)
    return Detections(boxes, np.ones(len(entries), np.float32), labels)


def choose(reference: Mapping[int, ImageScore], scores: Mapping[int, ImageScore]) -> dict[str, int]:
    """Rules 2 and 3: ``best``, ``worst`` and perhaps ``changed`` → image id."""
    boxes = {image_id: len(score.truth) for image_id, score in scores.items()}
    f1 = {image_id: score.f1 for image_id, score in scores.items()}
    change = {image_id: abs(f1[image_id] - reference[image_id].f1) for image_id in scores}
    chosen = {
        "best": max(scores, key=lambda i: (f1[i], boxes[i])),
        "worst": max(scores, key=lambda i: (-f1[i], boxes[i])),
    }
    changed = max(scores, key=lambda i: (change[i], boxes[i]))
    return {**chosen, "changed": changed} if change[changed] else chosen


@dataclass(frozen=True)
class Thumbnail:
    """An image scaled to a width of 320 pixels, as a data URI."""

    uri: str
    height: int
    scale: float

    @classmethod
    def load(cls, path: Path) -> "Thumbnail":
        """Raises DataError if the image cannot be read."""
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise DataError(
                f"{path} cannot be read any more", "the image that was evaluated", "restore it"
            )
        scale = WIDTH / picture.shape[1]
        height = max(1, round(picture.shape[0] * scale))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        small = cv2.resize(picture, (WIDTH, height), interpolation=method)
        _, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        encoded = base64.b64encode(jpeg.tobytes()).decode("ascii")
        return cls(f"data:image/jpeg;base64,{encoded}", height, scale)
