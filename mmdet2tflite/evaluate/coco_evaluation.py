"""COCO's evaluation by either of two libraries, of upright boxes and of oriented ones.

Neither library knows oriented boxes. For results that have corners, the IoU and the area of a
detection are those of the oriented box, and all else is COCO's: which detection finds which box,
at which thresholds, and what counts as small.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from mmdet2tflite.evaluate.results import CORNERS, oriented_boxes
from mmdet2tflite.runtime.decode.corners import areas_of
from mmdet2tflite.runtime.decode.rotated import rotated_intersection


class _OrientedBoxes:
    """Replaces what both libraries call to compare the boxes of one class in one image."""

    cocoGt: COCO
    cocoDt: COCO
    params: Any

    def computeIoU(self, imgId: int, catId: int) -> NDArray[np.float64] | list[float]:
        """IoU of the best detections, the highest score first, with the boxes: D x G.

        Of a crowd it is the share of the detection's own area that lies in it.
        """
        boxes, found = (
            side.loadAnns(side.getAnnIds(imgIds=[imgId], catIds=[catId]))
            for side in (self.cocoGt, self.cocoDt)
        )
        if not boxes or not found:
            return []
        order = np.argsort([-entry["score"] for entry in found], kind="stable")
        best = [found[i] for i in order[: self.params.maxDets[-1]]]
        first, second = oriented_boxes(best), oriented_boxes(boxes)
        shared = rotated_intersection(first, second)
        own = np.broadcast_to(areas_of(first)[:, None], shared.shape)
        crowds = np.array([bool(entry.get("iscrowd")) for entry in boxes])
        whole = np.where(crowds, own, own + areas_of(second) - shared)
        return np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0)


class _OrientedFaster(_OrientedBoxes, COCOeval_faster):
    pass


class _OrientedPython(_OrientedBoxes, COCOeval):
    pass


ORIENTED = {COCOeval_faster: _OrientedFaster, COCOeval: _OrientedPython}
"""By the class that evaluates upright boxes."""


def coco_evaluation[E: (COCOeval_faster, COCOeval)](
    library: type[E], annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> E:
    """One of the libraries, with all that it needs but the images to evaluate.

    Args:
        library: ``COCOeval_faster`` or pycocotools' ``COCOeval``.
        annotations: a COCO json.
        results: see ``results.py``; may be empty. What they are decides what is compared: upright
            boxes, or oriented ones if they have corners.

    Raises:
        DataError: by the evaluation, where oriented boxes were found and an annotation has no four
            corners.
    """
    truth = COCO(dict(annotations))
    # The library adds fields to the entries that it is given.
    found = truth.loadRes([dict(result) for result in results])
    if not any(CORNERS in result for result in results):
        return library(truth, found, "bbox")
    entries = found.dataset["annotations"]
    for entry, area in zip(entries, areas_of(oriented_boxes(entries)).tolist(), strict=True):
        entry["area"] = area
    return ORIENTED[library](truth, found, "bbox")
