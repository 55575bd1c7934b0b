"""Paired bootstrap over images: how much better or worse is one model's mAP than another's?

The validation images are one sample of those that a detector will meet. Drawing them again with
replacement, the same draw for both models, shows how far the difference of two mAPs depends on
which images happened to be in it (Efron and Tibshirani, An Introduction to the Bootstrap, chapter
13: percentile interval).

Boxes are matched once, by pycocotools; a draw then only counts each image as often as it was drawn.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.cocoeval import COCOeval

from mmdet2tflite.errors import DataError
from mmdet2tflite.evaluate.accuracy import average_precision
from mmdet2tflite.evaluate.coco_evaluation import coco_evaluation

DETECTIONS = 100
"""Of one class in one image, the best: as many as ``accuracy`` counts."""
AT_ONCE = 2**20
"""Numbers in the arrays of some draws of a class."""


@dataclass(frozen=True, eq=False)
class ClassMatches:
    """All detections of one class, the highest score first.

    Args:
        images: index of each detection's image (D).
        hits: whether it found a box, at each IoU threshold (T x D).
        counted: whether it counts at all: one that found a crowd does not (T x D).
        boxes: number of boxes in each image (N).
    """

    images: NDArray[np.int64]
    hits: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    boxes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairedBootstrap:
    """The difference of two mAPs, ``second - first``, on the images and on draws of them."""

    first: float
    second: float
    differences: NDArray[np.float64]

    @property
    def difference(self) -> float:
        """On the images themselves."""
        return self.second - self.first

    def lower_bound(self, confidence: float) -> float:
        """What the difference exceeds in this fraction of the draws."""
        return float(np.quantile(self.differences, 1 - confidence))

    def interval(self, confidence: float) -> tuple[float, float]:
        """What the difference lies between in this fraction of the draws, as many on each side."""
        tail = (1 - confidence) / 2
        low, high = np.quantile(self.differences, (tail, 1 - tail)).tolist()
        return low, high


def paired_bootstrap(
    annotations: Mapping[str, Any],
    first: Sequence[Mapping[str, Any]],
    second: Sequence[Mapping[str, Any]],
    image_ids: Sequence[int],
    *,
    resamples: int,
    seed: int,
) -> PairedBootstrap:
    """Draw the images ``resamples`` times and compare both models on each draw.

    Args:
        annotations: a COCO json.
        first: COCO results of one model (see ``results.py``); may be empty.
        second: those of the other one, on the same images.
        image_ids: the images that were evaluated.

    Raises:
        DataError: the images hold no boxes, so that there is no mAP, or not the kind of boxes
            that was found.
    """
    models = [match(annotations, results, image_ids) for results in (first, second)]
    count = len(set(image_ids))
    values = [mean_average_precision(model, np.ones(count, np.int64)) for model in models]
    if np.isnan(values).any():
        raise DataError("the validation images hold no boxes", "boxes to compare two models by")
    generator = np.random.default_rng(seed)
    drawn = np.array(
        [
            np.bincount(generator.integers(0, count, count), minlength=count)
            for _ in range(resamples)
        ]
    )
    one, other = (mean_average_precisions(model, drawn) for model in models)
    differences = other - one
    return PairedBootstrap(values[0], values[1], differences[~np.isnan(differences)])


def match(
    annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]], image_ids: Sequence[int]
) -> tuple[ClassMatches, ...]:
    """Let detections find boxes as COCO does, class by class, images in the order of their ids."""
    evaluation = coco_evaluation(COCOeval, annotations, results)
    with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress
        params = evaluation.params
        params.imgIds = list(image_ids)
        params.areaRng, params.areaRngLbl = params.areaRng[:1], params.areaRngLbl[:1]
        params.maxDets = [DETECTIONS]
        evaluation.evaluate()
    images = len(evaluation.params.imgIds)
    return tuple(
        _collect(evaluation.evalImgs[start : start + images], len(params.iouThrs))
        for start in range(0, len(evaluation.evalImgs), images)
    )


def _collect(images: Sequence[Mapping[str, Any] | None], thresholds: int) -> ClassMatches:
    """One class. An image without boxes and detections of it is None."""
    there = [(index, image) for index, image in enumerate(images) if image is not None]
    boxes = np.zeros(len(images), np.int64)
    for index, image in there:
        boxes[index] = np.count_nonzero(np.asarray(image["gtIgnore"]) == 0)
    empty = np.zeros((thresholds, 0))
    scores = np.concatenate([np.zeros(0), *(image["dtScores"] for _, image in there)])
    order = np.argsort(-scores, kind="stable")
    owners = [np.full(len(image["dtScores"]), index) for index, image in there]
    matched = np.concatenate([empty, *(image["dtMatches"] for _, image in there)], axis=1)
    ignored = np.concatenate([empty, *(image["dtIgnore"] for _, image in there)], axis=1)
    return ClassMatches(
        np.concatenate([np.zeros(0, np.int64), *owners])[order],
        matched[:, order] > 0,
        ignored[:, order] == 0,
        boxes,
    )


def mean_average_precision(classes: Sequence[ClassMatches], drawn: NDArray[np.int64]) -> float:
    """COCO's mAP with the image i taken ``drawn[i]`` times; NaN if that leaves no box.

    The same as of a data set in which the images are repeated: equal detections stand together in
    the order of scores, and precision is interpolated over them.
    """
    return float(mean_average_precisions(classes, drawn[None])[0])


def mean_average_precisions(
    classes: Sequence[ClassMatches], drawn: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The same of many draws at once (draws x N)."""
    total, there = np.zeros(len(drawn)), np.zeros(len(drawn), np.int64)
    for each in classes:
        boxes = drawn @ each.boxes
        at_once = max(1, AT_ONCE // max(1, each.hits.size))
        for start in range(0, len(drawn), at_once):
            some = np.flatnonzero(boxes[start : start + at_once]) + start
            weights = drawn[some][:, None, each.images] * each.counted
            total[some] += average_precision(each.hits, weights, boxes[some])
        there += boxes > 0
    return np.divide(total, there, out=np.full(len(drawn), np.nan), where=there > 0)
