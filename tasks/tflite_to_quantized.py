"""float32 TFLite → TFLite of another precision"""

from mmdet2tflite.artifacts import Dataset, TfliteModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.names import PrecisionName
from mmdet2tflite.quantize.quantize import QUANTIZE, QuantizeConfig
from tasks.caching import Call, stage_task


@stage_task
def tflite_to_quantized(
    experiment: Experiment, model: TfliteModel, dataset: Dataset, precision: PrecisionName
) -> Call[TfliteModel]:
    """Quantise, calibrated on training images where needed, and compare with the float32 file."""
    config = QuantizeConfig.of(precision, experiment.variants, experiment.training.quantised)
    inputs = {"model": model, "dataset": dataset}
    label = f"{model.strategy} {model.converter} {precision}"
    return Call(
        QUANTIZE, config, experiment.timeouts.quantize, inputs, label=label, side_by_side=True
    )
