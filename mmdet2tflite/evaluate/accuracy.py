"""COCO average precision over the evaluated images: of all boxes, per class and per size.

By faster-coco-eval: the same numbers as pycocotools (a test holds the two against each other),
but it prints nothing, takes an empty list of results, and matches in C++. It cannot weight an
image, nor judge by another rule than COCO's; ``average_precision`` is for those who do.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCOeval_faster
from numpy.typing import NDArray

from mmdet2tflite.evaluate.coco_evaluation import coco_evaluation

METRICS = ("map", "map_50", "map_75", "map_small", "map_medium", "map_large")
"""In the order of the library's summary."""
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, float("inf"))}
"""Areas in pixels of the original image, from … to below."""
IOU_50 = 0
"""Index into the ten IoU thresholds 0.50, 0.55 … 0.95."""
RECALLS = np.linspace(0, 1, 101)
"""Where COCO reads the precision."""
DIGITS = 4
"""Of what a curve's points are rounded to."""

type Table = NDArray[np.float64]


def accuracy(
    annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> tuple[dict[str, float], dict[str, float]]:
    """Evaluate COCO results on some images of a COCO data set.

    A box is small below 32² pixels, large from 96² on. At most the 100 best detections of an image
    count. A value is left out where there are no boxes that it could be computed of. IoU and areas
    are those of the oriented boxes, if the results are such.

    Args:
        annotations: a COCO json.
        results: see ``coco_results``; may be empty.
        image_ids: the images that were evaluated.

    Returns:
        The metrics ``METRICS``, and the average precision per class name.

    Raises:
        DataError: oriented boxes were found, and an annotation has no four corners.
    """
    evaluation = _evaluate(annotations, results, image_ids)
    evaluation.summarize()
    metrics = dict(zip(METRICS, evaluation.stats.tolist(), strict=False))  # recalls follow
    classes = {
        name: value
        for name, precision, *_ in _per_class(annotations, evaluation)
        if (value := _mean(precision)) is not None
    }
    return {name: value for name, value in metrics.items() if value > -1}, classes


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
    evaluation = _evaluate(annotations, results, image_ids)
    tables = [evaluation.eval[name][..., -1] for name in ("precision", "recall")]
    classes = list(_per_class(annotations, evaluation))
    return {
        "classes": {name: _numbers(precision, recall) for name, precision, recall, _ in classes},
        "sizes": {
            name: _numbers(*(table[..., i] for table in tables))
            for i, name in enumerate(evaluation.params.areaRngLbl)
            if name in SIZES
        },
        "curves": {
            name: _curve(precision[IOU_50], scores[IOU_50])
            for name, precision, _, scores in classes
            if (precision > -1).any()
        },
    }


def average_precision(right: NDArray[np.bool_], weights: NDArray[Any], boxes: Any) -> Any:
    """COCO's average precision of one class, with detections that count more or less than once.

    The mean of the interpolated precision at the recalls 0, 0.01 … 1, and over the IoU thresholds.

    Args:
        right: whether a detection found a box, at each IoU threshold, the highest score first
            (T x D).
        weights: how often a detection counts; not at all with 0 (T x D, or draws x T x D).
        boxes: how many there are to find, at least one (or one number a draw).

    Returns:
        A number, or one for each draw.
    """
    found = np.cumsum(weights * right, axis=-1)
    precision = found / np.maximum(np.cumsum(weights, axis=-1), 1)
    best_from_here = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    recall = found / np.asarray(boxes)[..., None, None]
    # How many of the recalls are reached here, and how many were not before.
    reached = np.searchsorted(RECALLS, recall, side="right")
    newly = np.diff(reached, axis=-1, prepend=0)
    return (best_from_here * newly).sum(axis=-1).mean(axis=-1) / len(RECALLS)


def _evaluate(
    annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> COCOeval_faster:
    """The library's evaluation; -1 in the tables of its ``eval`` says that there is no box."""
    evaluation = coco_evaluation(COCOeval_faster, annotations, results)
    evaluation.params.imgIds = list(image_ids)
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def _per_class(
    annotations: Mapping[str, Any], evaluation: COCOeval_faster
) -> Iterator[tuple[str, Table, Table, Table]]:
    """Name, precision (IoU threshold x recall), recall (IoU threshold), scores (as precision)."""
    names = {category["id"]: category["name"] for category in annotations["categories"]}
    everywhere = evaluation.params.areaRngLbl.index("all")
    precision, recall, scores = (
        evaluation.eval[name][..., everywhere, -1] for name in ("precision", "recall", "scores")
    )
    for k, category in enumerate(evaluation.params.catIds):
        yield names[category], precision[:, :, k], recall[:, k], scores[:, :, k]


def _numbers(precision: Table, recall: Table) -> dict[str, Any]:
    return {
        "average_precision": _mean(precision),
        "average_precision_50": _mean(precision[IOU_50]),
        "average_recall": _mean(recall),
    }


def _mean(values: Table) -> float | None:
    counted = values[values > -1]
    return float(counted.mean()) if counted.size else None


def _curve(precision: Table, scores: Table) -> dict[str, list[float]]:
    reached = precision > 0
    columns = {"recall": RECALLS, "precision": precision, "score": scores}
    return {name: values[reached].round(DIGITS).tolist() for name, values in columns.items()}
