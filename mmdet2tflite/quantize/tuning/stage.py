"""Stage: int8 TFLite → the same file, its weights and scales tuned towards the float32 file."""

from mmdet2tflite.artifacts import Dataset, TfliteModel
from mmdet2tflite.config.base import ConfigSection
from mmdet2tflite.config.experiment import Experiment, Tuning
from mmdet2tflite.config.names import PrecisionName
from mmdet2tflite.data.files import image_files
from mmdet2tflite.errors import DataError, ModelError
from mmdet2tflite.parity.check import PARITY_IMAGES
from mmdet2tflite.quantize.quantize import WITH_BUDGET, choose
from mmdet2tflite.quantize.tuning.tune_request import TuneRequest
from mmdet2tflite.stage import Job, Stage

JUDGES = 48
"""Validation images on which the detections of a file with a budget are compared: the calibration's
are learnt from."""
TUNED: tuple[PrecisionName, ...] = ("int8", "int8_io")
"""Precisions whose files are tuned: all that they compute with is int8."""

ENVIRONMENT = {
    "GOMP_SPINCOUNT": "1000",  # a thread that waits leaves its core to others (decisions/0005)
    "MALLOC_MMAP_THRESHOLD_": "4294967295",  # memory of maps is used again, not given back and
    "MALLOC_TRIM_THRESHOLD_": "4294967295",  # fetched anew from the kernel at each operator
}
"""Of the child: it moves maps of some megabytes through a thousand operators an iteration."""


class TuneConfig(ConfigSection):
    """How an int8 file is tuned.

    ``accuracy_budget``: points of mAP that it may lose in the end; None if nobody asks.
    """

    tuning: Tuning
    seed: int
    accuracy_budget: float | None = None

    @classmethod
    def of(cls, experiment: Experiment, precision: str) -> "TuneConfig":
        """What the experiment says of it."""
        training, budget = experiment.training, experiment.variants.accuracy_budget
        return cls(
            tuning=training.tuning,
            seed=training.seed,
            accuracy_budget=budget if precision == WITH_BUDGET else None,
        )


def tune(
    job: Job, config: TuneConfig, *, model: TfliteModel, teacher: TfliteModel, dataset: Dataset
) -> TfliteModel:
    """Tune a file on training images; compare it with LiteRT and with the float32 file.

    Args:
        model: of a precision of ``TUNED``.
        teacher: the float32 file that it was made of.

    Raises:
        DataError: there are too few training images.
        ModelError: the model is of another precision, or has an operator that cannot be trained.
        ParityError: LiteRT computes something else than what was tuned.
        ToolFailed: the child ended with an error or ran into the time-out.
    """
    if model.precision not in TUNED:
        raise ModelError(
            f"{model.variant} is of precision {model.precision}", f"one of {', '.join(TUNED)}"
        )
    images = choose(image_files(job.store, dataset, "train"), config.tuning.images)
    if len(images) < 2:
        raise DataError(
            "the data set has one training image",
            "at least two, one of them to judge by",
            "add some, or leave training.quantised out",
        )
    validation = image_files(job.store, dataset, "val")  # without their labels
    request = TuneRequest(
        model=model,
        file=job.store.path(model, model.file),
        teacher=job.store.path(teacher, teacher.file),
        target=job.work / model.file,
        images=images,
        check=validation[:PARITY_IMAGES],
        judges=validation[:JUDGES],
        tuning=config.tuning,
        seed=config.seed,
        accuracy_budget=config.accuracy_budget,
    )
    worker = "mmdet2tflite.quantize.tuning.tune_worker"
    return job.ask("torch", worker, request, TfliteModel, log="tune", environment=ENVIRONMENT)


TUNE: Stage[TfliteModel] = Stage(name="tuned", run=tune, tools=("torch", "ai-edge-litert"))
