"""Other views of an image, so that a few images say more.

The teacher sees the same view, so no box has to follow: scale, place, side and brightness are drawn
evenly. What a view shows beside the image is its mirror image.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

SCALES = (0.5, 1.5)
"""Of the image in its view."""
SHIFT = 0.2
"""Largest, as a fraction of each side."""
DARKEST = 0.6
"""What all values are multiplied with, at least; at most 1, so that none leaves its range."""


def random_view(image: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """An image of the same H x W x C."""
    height, width = image.shape[:2]
    scale = generator.uniform(*SCALES)
    side = -1.0 if generator.random() < 0.5 else 1.0
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    turn = np.diag([side * scale, scale])
    shift = generator.uniform(-SHIFT, SHIFT, 2) * [width, height]
    matrix = np.column_stack([turn, centre - turn @ centre + shift])
    view = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(view * np.float32(generator.uniform(DARKEST, 1)), np.float32)
