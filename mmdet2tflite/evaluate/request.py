"""What the child is asked that evaluates a model. It returns the metrics."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from mmdet2tflite.artifacts import (
    Checkpoint,
    Frozen,
    KerasModel,
    OnnxModel,
    OpenvinoModel,
    TfliteModel,
)
from mmdet2tflite.config.experiment import Evaluation

REPORT = "report.json"
"""Metrics and all details, left in ``EvaluateRequest.work``."""
OPERATORS = "operators.json"
"""The time of each operator of a TFLite file, left beside it."""


class EvaluateRequest(Frozen):
    """What to evaluate.

    ``model_folder`` is the model's artefact, ``reference`` that of the report to compare with.
    ``annotations`` is a COCO json with paths relative to ``images``.
    """

    model: Annotated[
        Checkpoint | OnnxModel | OpenvinoModel | TfliteModel | KerasModel,
        Field(discriminator="kind"),
    ]
    model_folder: Path
    annotations: Path
    images: Path
    reference: Path | None
    config: Evaluation
    work: Path
