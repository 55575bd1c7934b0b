"""Image file → input tensor, with errors that name the file."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.decode import Floats, PreprocessingValues, letterbox

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Of image files, in lower case; OpenCV reads and writes them."""


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, not of folders in it, by name. Raises DataError for none."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(
            f"{folder} holds no images", f"files ending in {', '.join(SUFFIXES)}", "check the path"
        )
    return paths


def input_tensor(path: Path, preprocessing: PreprocessingValues) -> tuple[Floats, float]:
    """The letterboxed image and its scale factor. Raises DataError, which names the file."""
    try:
        return letterbox(read_image(path), preprocessing)
    except DataError as error:
        raise DataError(f"{path}: {error.found}", error.expected, error.remedy) from None


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as H x W x 3, BGR, turned upright by its EXIF data, as mmdet reads it.

    Raises:
        DataError: there is no such file, or OpenCV cannot decode it.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", "an image file") from None
    return decode_image(content)


def decode_image(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As ``read_image``, of a file's bytes (one axis). Raises DataError."""
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise DataError(
            "cannot be decoded as an image",
            "a complete image file",
            "replace the file, or leave it out",
        )
    return image.astype(np.uint8, copy=False)
