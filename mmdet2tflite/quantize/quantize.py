"""Stage: float32 TFLite → TFLite of another precision, annotated and compared with the float32."""

import random
from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.artifacts import Dataset, TfliteModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.experiment import Variants
from mmdet2tflite.config.names import PrecisionName
from mmdet2tflite.data.files import image_files
from mmdet2tflite.errors import ConfigError, DataError, ModelError
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.quantize.precisions import PRECISIONS
from mmdet2tflite.quantize.quantize_request import QuantizeRequest
from mmdet2tflite.stage import Job, Stage

SEED = 0
WITH_BUDGET: PrecisionName = "int8"
"""The precision that ``variants.accuracy_budget`` is about."""
TUNING_GAINS = 2.0
"""A file that is tuned afterwards may lose so many times the budget before: tuning takes half or
more of the estimated loss away (docs/decisions/0015)."""


class QuantizeConfig(ConfigSection):
    """One precision. ``calibration_images`` is 0 for one that is not calibrated.

    ``accuracy_budget``: points of mAP that it may lose; None if nobody asks.
    """

    precision: PrecisionName
    calibration_images: int
    accuracy_budget: float | None = None

    @classmethod
    def of(
        cls, precision: PrecisionName, variants: Variants, tuned: bool = False
    ) -> "QuantizeConfig":
        """Without what changes nothing of this precision: the result stays cached.

        Args:
            tuned: the file will be tuned.
        """
        calibrated = PRECISIONS[precision].calibrated
        budget = variants.accuracy_budget if precision == WITH_BUDGET else None
        return cls(
            precision=precision,
            calibration_images=variants.calibration_images if calibrated else 0,
            accuracy_budget=budget and budget * (TUNING_GAINS if tuned else 1),
        )


def quantize(
    job: Job, config: QuantizeConfig, *, model: TfliteModel, dataset: Dataset
) -> TfliteModel:
    """Quantise, calibrated on training images; compare with the float32 file on validation images.

    Raises:
        ConfigError: a budget is given for a network whose outputs are not decoded.
        DataError: there is no training image to calibrate with.
        ModelError: the model is not float32, or cannot be quantised.
        ParityError: the outputs are nothing but noise.
        ToolFailed: the quantiser ended with an error or ran into the time-out.
    """
    if model.precision != "float32":
        raise ModelError(
            f"{model.variant} is of precision {model.precision}",
            "a float32 file",
            "quantise the file it was made of",
        )
    if config.accuracy_budget is not None and model.head.family is None:
        raise ConfigError(
            "variants.accuracy_budget, of a network whose outputs nobody decodes",
            "a detector, whose detections can be compared",
            "leave it out",
        )
    calibration: list[Path] = []
    if PRECISIONS[config.precision].calibrated:
        images = image_files(job.store, dataset, "train")
        calibration = choose(images, config.calibration_images)
    request = QuantizeRequest(
        model=model,
        file=job.store.path(model, model.file),
        precision=config.precision,
        target=job.work / model.file,
        calibration=calibration,
        images=image_files(job.store, dataset, "val")[:PARITY_IMAGES],
        accuracy_budget=config.accuracy_budget,
    )
    worker = "mmdet2tflite.quantize.quantize_worker"
    return job.ask("litert-quantizer", worker, request, TfliteModel, log="quantize")


def choose(images: Sequence[Path], count: int) -> list[Path]:
    """A seeded sample of ``count`` images in random order, or of all if there are fewer.

    Raises:
        DataError: there are none.
    """
    if not images:
        raise DataError(
            "the data set has no training images",
            "images to take the ranges of activations from",
            "add some (300 are a good number), or choose a precision that keeps activations float",
        )
    return random.Random(SEED).sample(list(images), min(count, len(images)))


QUANTIZE: Stage[TfliteModel] = Stage(
    name="quantized",
    run=quantize,
    tools=("litert-quantizer", "ai-edge-litert"),
)
