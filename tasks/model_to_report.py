"""model → report"""

from mmdet2tflite.artifacts import Dataset, Report
from mmdet2tflite.backends.table import BACKENDS, Model
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.evaluate.evaluate import EVALUATE
from tasks.caching import Call, stage_task


@stage_task
def model_to_report(
    experiment: Experiment,
    model: Model,
    dataset: Dataset,
    reference: Report | None = None,
    float32: Report | None = None,
) -> Call[Report]:
    """Measure a model on the validation images, and compare it with its source's report.

    A file of another precision is also compared with that of the ``float32`` file.
    """
    inputs = {"model": model, "dataset": dataset, "reference": reference, "float32": float32}
    return Call(
        EVALUATE,
        experiment.evaluation,
        experiment.timeouts.evaluate,
        inputs,
        label=BACKENDS[model.kind].label(model),
    )
