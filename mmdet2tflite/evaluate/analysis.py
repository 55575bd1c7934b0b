"""What a model gets wrong, and why: ``analysis.json`` beside its report.

1. ``errors``, ``found``, ``right`` and ``confusion`` are about detections with a score of at least
   0.3, average precision, recall, curves and ``gain_map_50`` about all of them.
2. Detections in a crowd are left out, but for the average precisions, where COCO does the same.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.artifacts import Report
from mmdet2tflite.evaluate.accuracy import SIZES, coco_tables
from mmdet2tflite.evaluate.causes import BACKGROUND_IOU, CAUSES, MISSED, RIGHT
from mmdet2tflite.evaluate.confusion import confusion_matrix
from mmdet2tflite.evaluate.gains import gains
from mmdet2tflite.evaluate.image_score import (
    SHOWN_SCORE,
    ImageScore,
    choose,
    classify_all,
    score_image,
)
from mmdet2tflite.evaluate.results import Evaluated
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.parity.parity import MATCH_IOU
from mmdet2tflite.store.store import Store

ANALYSIS = "analysis.json"
"""In the folder of a report on a model that has detections."""


def analyse(
    annotations: Mapping[str, Any],
    truth: Truth,
    evaluated: Evaluated,
    classes: Sequence[str],
) -> dict[str, Any]:
    """Everything that ``analysis.json`` holds.

    Args:
        annotations: the COCO json that ``truth`` was read from.
        evaluated: all detections of the evaluated images.
        classes: names by label.

    Returns:
        ``errors``: by cause ``count`` and ``gain_map_50``, what mAP50 would gain without it (None
        without boxes). ``classes`` by name, ``sizes``: small, medium, large. ``confusion``: see
        ``confusion_matrix``. ``curves``: see ``coco_tables``. ``chosen``: see ``choose``.
    """
    found = evaluated.detections
    classified = classify_all(truth, found)
    scores = {i: score_image(truth.boxes[i], found[i], classified[i]) for i in found}
    tables = coco_tables(annotations, evaluated.coco_results(), list(found))
    gained = gains(truth.boxes, found, classified, len(classes))
    every = list(scores.values())
    totals = _by_class(every, len(classes))
    return {
        "score": SHOWN_SCORE,
        "iou": MATCH_IOU,
        "background_iou": BACKGROUND_IOU,
        "images": len(found),
        **{name: int(totals[name].sum()) for name in ("boxes", "found", RIGHT)},
        "errors": {
            cause: {"count": int(totals[cause].sum()), "gain_map_50": gained.get(cause)}
            for cause in CAUSES
        },
        "classes": {
            name: {**_of_class(totals, label), **tables["classes"][name]}
            for label, name in enumerate(classes)
        },
        "sizes": {
            name: {**_of_size(truth, scores, *limits), **tables["sizes"][name]}
            for name, limits in SIZES.items()
        },
        "confusion": confusion_matrix(every, classes).tolist(),
        "curves": tables["curves"],
        "chosen": {
            name: {"image": i, "file": truth.files[i].name, **scores[i].numbers()}
            for name, i in choose(scores, scores).items()
        },
    }


def analysis_metrics(analysis: Mapping[str, Any]) -> dict[str, float]:
    """``errors.class`` … ``errors.missed``: how many detections, and boxes."""
    return {f"errors.{cause}": float(e["count"]) for cause, e in analysis["errors"].items()}


def read_analysis(store: Store, report: Report) -> dict[str, Any] | None:
    """What lies beside a report; None for a model without detections."""
    path = store.path(report) / ANALYSIS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def what_goes_wrong(analysis: Mapping[str, Any]) -> str:
    """The causes in a sentence, the most frequent first."""
    counts = {cause: error["count"] for cause, error in analysis["errors"].items()}
    ranked = sorted(filter(counts.get, counts), key=lambda cause: -counts[cause])
    found = f"{analysis['right']} of {analysis['boxes']} boxes are found"
    if not ranked:
        return f"{found}, and nothing is wrong."
    words = ", ".join(f"{counts[cause]} {cause}" for cause in ranked)
    return f"{found}; what goes wrong: {words}."


def lost_classes(analysis: Mapping[str, Any]) -> list[str]:
    """Classes that have boxes, of which none is found."""
    return [
        name
        for name, counts in analysis["classes"].items()
        if counts["boxes"] and not counts["right"]
    ]


def _by_class(scores: Sequence[ImageScore], classes: int) -> dict[str, NDArray[np.int64]]:
    """How many boxes and detections each class has, and of those how many right and wrong."""
    labels = np.concatenate([score.found.labels for score in scores])
    causes = np.concatenate([score.judgement.causes for score in scores])
    groups = {
        "boxes": np.concatenate([score.truth.labels for score in scores]),
        "found": labels,
        **{name: labels[causes == name] for name in (RIGHT, *CAUSES)},
        MISSED: np.concatenate([s.truth.labels[s.judgement.missed()] for s in scores]),
    }
    return {name: np.bincount(group, minlength=classes) for name, group in groups.items()}


def _of_class(totals: Mapping[str, NDArray[np.int64]], label: int) -> dict[str, Any]:
    counts = {name: int(numbers[label]) for name, numbers in totals.items()}
    boxes, found, right = (counts[name] for name in ("boxes", "found", RIGHT))
    return {
        "boxes": boxes,
        "found": found,
        "right": right,
        "precision": right / found if found else None,
        "recall": right / boxes if boxes else None,
        "errors": {cause: counts[cause] for cause in CAUSES},
    }


def _of_size(
    truth: Truth, scores: Mapping[int, ImageScore], lowest: float, end: float
) -> dict[str, Any]:
    boxes = right = 0
    for image_id, score in scores.items():
        areas = np.array(truth.areas[image_id])
        inside = (areas >= lowest) & (areas < end)
        boxes += int(inside.sum())
        right += int(inside[list(score.judgement.about([RIGHT]))].sum())
    return {"boxes": boxes, "right": right, "recall": right / boxes if boxes else None}
