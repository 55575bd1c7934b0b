"""rewritten ONNX → Keras file or SavedModel"""

from mmdet2tflite.artifacts import Dataset, KerasModel, OnnxModel, RewrittenModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.names import FormatName
from mmdet2tflite.convert.keras.to_keras import KERAS, KerasConfig
from tasks.caching import Call, stage_task


@stage_task
def rewritten_to_keras(
    experiment: Experiment,
    model: RewrittenModel,
    original: OnnxModel,
    dataset: Dataset,
    file_format: FormatName,
) -> Call[KerasModel]:
    """Convert with onnx2tf's TensorFlow back end, and compare with the original ONNX."""
    config = KerasConfig(format=file_format, tolerance=experiment.variants.tolerance)
    inputs = {"model": model, "original": original, "dataset": dataset}
    label = f"{model.strategy} {file_format}"
    return Call(KERAS, config, experiment.timeouts.convert, inputs, label=label)
