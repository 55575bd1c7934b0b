"""int8 TFLite → tuned int8 TFLite"""

from mmdet2tflite.artifacts import Dataset, TfliteModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.quantize.tuning.stage import TUNE, TuneConfig
from tasks.caching import Call, stage_task


@stage_task
def tflite_to_tuned(
    experiment: Experiment, model: TfliteModel, teacher: TfliteModel, dataset: Dataset
) -> Call[TfliteModel]:
    """Tune the file towards the float32 file that it was made of, and compare it with both."""
    inputs = {"model": model, "teacher": teacher, "dataset": dataset}
    label = f"{model.strategy} {model.converter} {model.precision}"
    config = TuneConfig.of(experiment, model.precision)
    return Call(TUNE, config, experiment.timeouts.tune, inputs, label=label, side_by_side=True)
