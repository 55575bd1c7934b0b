"""Image file → input tensor, with errors that name the file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import DataError
from mmdet2tflite.files.image_file import SUFFIXES, decode_image, read_image_file
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.runtime.decode import Floats, letterbox


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder, not of folders in it, by name. Raises DataError for none."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(
            f"{folder} holds no images", f"files ending in {', '.join(SUFFIXES)}", "check the path"
        )
    return paths


def input_tensor(path: Path, preprocessing: Preprocessing) -> tuple[Floats, float]:
    """The letterboxed image and its scale factor. Raises DataError, which names the file."""
    try:
        return letterbox(read_image(path), preprocessing)
    except DataError as error:
        raise DataError(f"{path}: {error.found}", error.expected, error.remedy) from None


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as H x W x 3, BGR, rotated as its EXIF data says, as mmdet reads it.

    Raises:
        DataError: there is no such file, it has too many pixels, or OpenCV cannot decode it.
    """
    try:
        content = read_image_file(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", "an image file") from None
    return decode_image(content)
