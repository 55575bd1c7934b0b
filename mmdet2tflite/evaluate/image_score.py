"""How well a model does on each image, and which images show that best.

1. An image's score is F1 = 2 TP / (2 TP + FP + FN) of the detections with a score of at least 0.3;
   an image with neither boxes nor detections has 1. What is right (TP), wrong (FP) and not found
   (FN) is told as in ``causes``.
2. Shown are a model's best image, its worst, the most confused one (most detections of a wrong
   class), and the one whose F1 differs most from that of the first model. Where two are equal, the
   one with more boxes is shown.
3. A model that confuses no classes has no most confused image, and one whose every image has the
   first model's F1 none that changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mmdet2tflite.evaluate.causes import IGNORED, RIGHT, ClassifiedDetections, classify_detections
from mmdet2tflite.evaluate.truth import Truth
from mmdet2tflite.runtime.decode import Detections

SHOWN_SCORE = 0.3
"""What applications usually ask for."""


@dataclass(frozen=True)
class ImageScore:
    """One image: its boxes, the detections of rule 1 but for those in a crowd, their causes."""

    truth: Detections
    found: Detections
    judgement: ClassifiedDetections

    @property
    def f1(self) -> float:
        """Between 0 and 1."""
        counted = len(self.truth) + len(self.found)
        return 2 * self.judgement.count(RIGHT) / counted if counted else 1.0

    def numbers(self) -> dict[str, float]:
        """As they stand in ``comparison.json``."""
        right = self.judgement.count(RIGHT)
        wrong, not_found = len(self.found) - right, len(self.truth) - right
        return {"f1": self.f1, "right": right, "wrong": wrong, "not_found": not_found}


def score_image(
    truth: Detections, found: Detections, classified: ClassifiedDetections
) -> ImageScore:
    """Rule 1, of all detections of an image."""
    shown = (found.scores >= SHOWN_SCORE) & (classified.causes != IGNORED)
    return ImageScore(truth, found[shown], classified[shown])


def classify_all(truth: Truth, found: Mapping[int, Detections]) -> dict[int, ClassifiedDetections]:
    """All detections of a model, by image id."""
    return {i: classify_detections(truth.boxes[i], truth.crowds[i], found[i]) for i in found}


def score_all(truth: Truth, found: Mapping[int, Detections]) -> dict[int, ImageScore]:
    """Rule 1 of all images that a model has seen."""
    classified = classify_all(truth, found)
    return {i: score_image(truth.boxes[i], found[i], classified[i]) for i in found}


def choose(reference: Mapping[int, ImageScore], scores: Mapping[int, ImageScore]) -> dict[str, int]:
    """Rules 2 and 3: ``best``, ``worst``, perhaps ``confused`` and ``changed`` → image id."""
    boxes = {image_id: len(score.truth) for image_id, score in scores.items()}
    f1 = {image_id: score.f1 for image_id, score in scores.items()}
    change = {image_id: abs(f1[image_id] - reference[image_id].f1) for image_id in scores}
    confusion = {image_id: score.judgement.count("class") for image_id, score in scores.items()}
    chosen = {
        "best": max(scores, key=lambda i: (f1[i], boxes[i])),
        "worst": max(scores, key=lambda i: (-f1[i], boxes[i])),
    }
    for name, values in (("confused", confusion), ("changed", change)):
        most = max(scores, key=lambda i: (values[i], boxes[i]))
        if values[most]:
            chosen[name] = most
    return chosen
