"""Other views of an image, so that a few images say more.

A view is the image, or its mirror image, moved by whole pixels; beside it is what a mirror at its
border shows. No pixel is computed anew: an enlarged or darkened picture is smoother than those that
the file is for, and a network that was tuned on such was worse on the others
(docs/quantisation.md). The teacher sees the same view, so no box has to follow.
"""

import numpy as np
from numpy.typing import NDArray

SHIFT = 0.25
"""Largest, as a fraction of each side."""


def random_view(image: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """An image of the same H x W x C."""
    height, width = image.shape[:2]
    rows, columns = int(height * SHIFT), int(width * SHIFT)
    turned = image[:, ::-1] if generator.random() < 0.5 else image
    wide = np.pad(turned, ((rows, rows), (columns, columns), (0, 0)), mode="reflect")
    top, left = generator.integers(0, [2 * rows + 1, 2 * columns + 1])
    return np.ascontiguousarray(wide[top : top + height, left : left + width])
