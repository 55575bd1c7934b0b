"""COCO average precision over the evaluated images.

By faster-coco-eval: the same numbers as pycocotools (a test holds the two against each other),
but it prints nothing, takes an empty list of results, and matches in C++.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

IOU_50, IOU_75 = 0, 5
"""Indices into the ten IoU thresholds 0.50, 0.55 … 0.95."""


def accuracy(
    annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> tuple[dict[str, float], dict[str, float]]:
    """Evaluate COCO results on some images of a COCO data set.

    A box is small below 32² pixels, large from 96² on. At most the 100 best detections of an image
    count. A value is left out where there are no boxes that it could be computed of.

    Args:
        annotations: a COCO json.
        results: see ``coco_results``; may be empty.
        image_ids: the images that were evaluated.

    Returns:
        The metrics ``map``, ``map_50``, ``map_75``, ``map_small``, ``map_medium``, ``map_large``,
        and the average precision per class name.
    """
    evaluation = evaluate_coco(annotations, results, image_ids)
    # IoU threshold x recall x class x area range x number of detections; -1: no boxes
    precision = evaluation.eval["precision"][..., -1]
    ranges = {name: i for i, name in enumerate(evaluation.params.areaRngLbl)}
    everywhere = precision[..., ranges["all"]]
    metrics = {
        "map": _mean(everywhere),
        "map_50": _mean(everywhere[IOU_50]),
        "map_75": _mean(everywhere[IOU_75]),
        **{f"map_{name}": _mean(precision[..., i]) for name, i in ranges.items() if name != "all"},
    }
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    classes = {
        names[category]: _mean(everywhere[:, :, k])
        for k, category in enumerate(evaluation.params.catIds)
    }
    return _without_none(metrics), _without_none(classes)


def evaluate_coco(
    annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> COCOeval_faster:
    """The library's evaluation, of which ``eval`` holds the tables. Arguments as above."""
    truth = COCO(dict(annotations))
    # The library adds fields to the entries that it is given.
    found = truth.loadRes([dict(result) for result in results])
    evaluation = COCOeval_faster(truth, found, "bbox")
    evaluation.params.imgIds = list(image_ids)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _mean(precision: NDArray[np.float64]) -> float | None:
    counted = precision[precision > -1]
    return float(counted.mean()) if counted.size else None


def _without_none(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}
