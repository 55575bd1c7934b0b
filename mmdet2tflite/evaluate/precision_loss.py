"""What a file of another precision loses against the float32 file that it was made of.

The loss is float32's mAP less the file's. Its interval is that of the paired bootstrap over the
evaluated images (``bootstrap``), two-sided: where it holds 0, other images might as well have shown
no loss.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdet2tflite.errors import ConfigError
from mmdet2tflite.evaluate.bootstrap import paired_bootstrap
from mmdet2tflite.evaluate.results import Evaluated

CONFIDENCE = 0.95
SEED = 0
METRICS = {"map_loss": "loss", "map_loss_low": "low", "map_loss_high": "high"}
"""Name of the metric → of the number in ``report.json``."""


def precision_loss(
    annotations: Path, float32: Evaluated, candidate: Evaluated, resamples: int
) -> dict[str, Any]:
    """The loss and its interval, as they stand in ``report.json`` under ``loss``.

    Args:
        annotations: a COCO json.
        float32, candidate: what the two files found, on the same images.
        resamples: how often the images are drawn.

    Raises:
        ConfigError: they are about other images.
        DataError: the images hold no boxes.
    """
    images = list(candidate.detections)
    if images != list(float32.detections):
        raise ConfigError(
            f"the float32 file's report is about other images: {len(float32.detections)}",
            f"the same {len(images)} images",
            "evaluate both files on one data set with the same settings",
        )
    found = paired_bootstrap(
        json.loads(annotations.read_text(encoding="utf-8")),
        candidate.coco_results(),
        float32.coco_results(),
        images,
        resamples=resamples,
        seed=SEED,
    )
    low, high = found.interval(CONFIDENCE)
    return {
        "loss": found.difference,
        "low": low,
        "high": high,
        "confidence": CONFIDENCE,
        "images": len(images),
        "resamples": resamples,
        "seed": SEED,
    }


def loss_metrics(loss: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of what ``precision_loss`` found."""
    return {metric: loss[name] for metric, name in METRICS.items()}
