"""Average precision of oriented boxes at validation, by mmrotate's metric. Child processes only."""

from typing import Any

import numpy as np
from mmdet.registry import METRICS
from mmrotate.evaluation import RotatedCocoMetric

from mmdet2tflite.runtime.decode.corners import boxes_of


@METRICS.register_module()
class OrientedCocoMetric(RotatedCocoMetric):
    """mmrotate's RotatedCocoMetric on a COCO json whose outlines are the corners of rectangles.

    mmrotate takes ``bbox`` for an oriented box; there it is the upright one around it. AP is that
    of at most 100 detections of an image, as COCO has it.
    """

    default_prefix = "coco"

    def __init__(self, ann_file: str, **settings: Any) -> None:
        super().__init__(ann_file=ann_file, metric="bbox", proposal_nums=(1, 10, 100), **settings)
        for annotation in self._coco_api.dataset["annotations"]:
            (outline,) = annotation["segmentation"]
            (box,) = boxes_of(np.array(outline).reshape(1, 4, 2)).tolist()
            annotation["bbox"] = box
