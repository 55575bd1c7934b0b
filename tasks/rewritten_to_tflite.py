"""rewritten ONNX → TFLite"""

from mmdet2tflite.artifacts import Dataset, OnnxModel, RewrittenModel, TfliteModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.names import ConverterName
from mmdet2tflite.convert.convert import CONVERT, ConvertConfig
from tasks.caching import Call, stage_task


@stage_task
def rewritten_to_tflite(
    experiment: Experiment,
    model: RewrittenModel,
    original: OnnxModel,
    dataset: Dataset,
    converter: ConverterName,
) -> Call[TfliteModel]:
    """Convert to float32 TFLite, finish the file, and compare it with the original ONNX."""
    config = ConvertConfig(converter=converter, tolerance=experiment.variants.tolerance)
    inputs = {"model": model, "original": original, "dataset": dataset}
    return Call(
        CONVERT,
        config,
        experiment.timeouts.convert,
        inputs,
        label=f"{model.strategy} {converter}",
        side_by_side=True,
    )
