"""ONNX → TFLite"""

from mmdet2tflite.artifacts import Dataset, OnnxModel
from mmdet2tflite.config import ConverterName, Experiment
from mmdet2tflite.convert.convert import CONVERT, ConvertConfig
from tasks.caching import Call, arrow


@arrow(CONVERT)
def onnx_to_tflite(
    experiment: Experiment, model: OnnxModel, dataset: Dataset, converter: ConverterName
) -> Call:
    """Convert to float32 TFLite, identify the outputs, and compare with the ONNX."""
    config = ConvertConfig(converter=converter, tolerance=experiment.variants.tolerance)
    inputs = {"model": model, "dataset": dataset}
    return Call(config, experiment.timeouts.convert, inputs, label=converter)
