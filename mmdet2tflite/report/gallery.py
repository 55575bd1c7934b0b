"""Images in a page."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.pictures import highest
from mmdet2tflite.runtime.decode import Detections

WIDTH = 320
JPEG_QUALITY = 80
COLOURS = 10
"""Classes that are told apart by colour; the others share one with the class ten before."""


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


def outlines(
    found: Detections, classes: Sequence[str], scale: float, wrong: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Of all boxes, for a template (outline.html); those in ``wrong`` are dashed and say why."""
    places = _upright(found, scale) if found.oriented is None else _oriented(found, scale)
    return [
        {
            **place,
            "colour": label % COLOURS,
            "dashed": i in wrong,
            "name": (classes[label] if score == 1 else f"{classes[label]} {score:.2f}")
            + (f": {wrong[i]}" if i in wrong else ""),
        }
        for i, (place, score, label) in enumerate(
            zip(places, found.scores.tolist(), found.labels.tolist(), strict=True)
        )
    ]


def _upright(found: Detections, scale: float) -> list[dict[str, Any]]:
    boxes = (found.boxes.astype(np.float64) * scale).round(1).tolist()
    return [
        {"x": x1, "y": y1, "width": round(x2 - x1, 1), "height": round(y2 - y1, 1)}
        for x1, y1, x2, y2 in boxes
    ]


def _oriented(found: Detections, scale: float) -> list[dict[str, Any]]:
    """``points`` are the corners; a label stands at ``x`` and ``y``."""
    corners = (found.corners * scale).round(1)
    return [
        {"x": x, "y": y, "points": " ".join(f"{across},{down}" for across, down in points)}
        for (x, y), points in zip(highest(corners).tolist(), corners.tolist(), strict=True)
    ]


def legend(found: Iterable[Detections], classes: Sequence[str]) -> dict[str, int]:
    """Classes that are seen somewhere → their colour."""
    labels = {label for each in found for label in each.labels.tolist()}
    return {classes[label]: label % COLOURS for label in sorted(labels)}
