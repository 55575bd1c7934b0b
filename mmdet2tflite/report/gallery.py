"""Images in a page."""

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2

from mmdet2tflite.errors import DataError

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
