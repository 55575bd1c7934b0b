"""Augmentations registered with mmdet. Imported in child processes only."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import RandomAffine
from mmdet.registry import TRANSFORMS
from numpy.typing import NDArray


@TRANSFORMS.register_module()
class CanvasAffine(RandomAffine):
    """mmdet's RandomAffine about the centre, onto a canvas of fixed size.

    mmdet's own class crops by a ``border`` that must be half of mosaic's doubled canvas. With
    mosaic off the same border moves every image out of sight and drops its boxes. Here the border
    follows from the image at hand: half the canvas after mosaic, zero on a letterboxed image.

    Args:
        canvas: width and height of the result in pixels.
    """

    def __init__(self, canvas: tuple[int, int], **settings: Any) -> None:
        super().__init__(**settings)
        self.canvas = canvas

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Warp image and boxes; boxes that leave the canvas are dropped."""
        (width, height), image = self.canvas, results["img"]
        source_height, source_width = image.shape[:2]
        # RandomAffine adds twice the border to the image's size.
        self.border = ((width - source_width) // 2, (height - source_height) // 2)
        self._source_centre = (source_width / 2, source_height / 2)
        return super().transform(results)

    def _get_random_homography_matrix(self, height: int, width: int) -> NDArray[np.float64]:
        # mmdet rotates and scales about the top-left corner.
        about_origin = super()._get_random_homography_matrix(height, width)
        from_centre = self._get_translation_matrix(*(-side for side in self._source_centre))
        to_centre = self._get_translation_matrix(width / 2, height / 2)
        return to_centre @ about_origin @ from_centre


@TRANSFORMS.register_module()
class LetterboxBorder(BaseTransform):
    """Says where the picture is in the input, as CenterNet's own transforms do.

    A letterboxed picture begins at the top left corner.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Set ``border``: top, bottom, left and right of the picture in pixels."""
        height, width = results["img_shape"][:2]
        results["border"] = (0, height, 0, width)
        return results
