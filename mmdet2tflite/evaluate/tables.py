"""COCO's average precision and recall per class and per size, and precision-recall curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.evaluate.accuracy import IOU_50, evaluate_coco

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, float("inf"))}
"""Areas in pixels of the original image, from … to below."""
DIGITS = 4
"""Of what a curve's points are rounded to."""


def coco_tables(
    annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> dict[str, Any]:
    """Arguments as those of ``accuracy``.

    Returns:
        ``classes`` by name and ``sizes`` (small, medium, large), each with ``average_precision``
        (mean over IoU 0.50 to 0.95), ``average_precision_50`` and ``average_recall`` (as the
        first), None where there are no boxes. ``curves`` by the name of each class that has boxes:
        ``recall`` 0, 0.01 … as far as it is reached at IoU 0.50, interpolated ``precision`` and
        the lowest ``score`` that takes part.
    """
    evaluation = evaluate_coco(annotations, results, image_ids)
    # IoU threshold x recall x class x area range, and the same without recall; -1: no boxes
    precision = evaluation.eval["precision"][..., -1]
    recall = evaluation.eval["recall"][..., -1]
    scores = evaluation.eval["scores"][..., -1]
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    classes = [names[category] for category in evaluation.params.catIds]
    ranges = {name: i for i, name in enumerate(evaluation.params.areaRngLbl)}
    everywhere = ranges["all"]
    return {
        "classes": {
            name: _numbers(precision[:, :, k, everywhere], recall[:, k, everywhere])
            for k, name in enumerate(classes)
        },
        "sizes": {
            name: _numbers(precision[..., ranges[name]], recall[..., ranges[name]])
            for name in SIZES
        },
        "curves": {
            name: _curve(
                precision[IOU_50, :, k, everywhere],
                scores[IOU_50, :, k, everywhere],
                evaluation.params.recThrs,
            )
            for k, name in enumerate(classes)
            if precision[IOU_50, 0, k, everywhere] > -1
        },
    }


def _numbers(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "average_precision": _mean(precision),
        "average_precision_50": _mean(precision[IOU_50]),
        "average_recall": _mean(recall),
    }


def _mean(values: NDArray[np.float64]) -> float | None:
    counted = values[values > -1]
    return float(counted.mean()) if counted.size else None


def _curve(
    precision: NDArray[np.float64], scores: NDArray[np.float64], recalls: NDArray[np.float64]
) -> dict[str, list[float]]:
    reached = precision > 0
    columns = {"recall": recalls, "precision": precision, "score": scores}
    return {name: values[reached].round(DIGITS).tolist() for name, values in columns.items()}
