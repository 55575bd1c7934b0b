"""Picture → input tensor: mmdet 3.3's ``FixShapeResize(keep_ratio=True)``, bit for bit."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.errors import DataError
from mmdet2tflite.passport import Preprocessing
from mmdet2tflite.runtime.decode.types import Floats


def letterbox(image: NDArray[Any], preprocessing: Preprocessing) -> tuple[Floats, float]:
    """Make the input tensor of an image (H x W x 3, uint8, BGR).

    1. The scale factor is the largest that fits the image into the input.
    2. Both sides are scaled by it and rounded: the size wanted.
    3. mmcv's ``imrescale`` fits the image into the size wanted *once more* and rounds again: a
       pixel less on one side of every fifth image, and several of a narrow one (997 x 13 into
       320 x 192 becomes 307 x 4, not 320 x 4).
    4. The result lies in the top-left corner, the rest is ``pad_value``.
    5. ``(pixel - mean) / std`` per channel, in the colour order of the network.

    Returns:
        The tensor (1 x 3 x height x width, float32) and the scale factor of rule 1, unrounded, by
        which mmdet divides the boxes found.

    Raises:
        DataError: the image is so narrow that nothing of it would remain.
    """
    height, width = image.shape[:2]
    scale_factor = min(preprocessing.width / width, preprocessing.height / height)
    wanted = _rounded(width, height, scale_factor)
    again = min(max(wanted) / max(width, height), min(wanted) / min(width, height))
    size = _rounded(width, height, again)
    if min(size) < 1:
        raise DataError(
            f"an image of {width} x {height} pixels has no height or width left when it is scaled "
            f"to fit {preprocessing.width} x {preprocessing.height}",
            "images whose shorter side keeps at least one pixel",
            "leave the image out, or cut it",
        )
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    canvas = cv2.copyMakeBorder(
        resized,
        top=0,
        bottom=preprocessing.height - size[1],
        left=0,
        right=preprocessing.width - size[0],
        borderType=cv2.BORDER_CONSTANT,
        value=[preprocessing.pad_value] * 3,
    )
    if preprocessing.colour_order == "rgb":
        canvas = canvas[..., ::-1]
    pixels = canvas.astype(np.float32)
    pixels -= np.asarray(preprocessing.mean, np.float32)
    pixels /= np.asarray(preprocessing.std, np.float32)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]), scale_factor


def _rounded(width: int, height: int, scale: float) -> tuple[int, int]:
    return int(width * scale + 0.5), int(height * scale + 0.5)
