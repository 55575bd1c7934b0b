"""ONNX → OpenVINO"""

from mmdet2tflite.artifacts import Dataset, OnnxModel, OpenvinoModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.convert.to_openvino import OPENVINO, OpenvinoConfig
from tasks.caching import Call, stage_task


@stage_task
def onnx_to_openvino(
    experiment: Experiment, model: OnnxModel, dataset: Dataset
) -> Call[OpenvinoModel]:
    """Write the graph as OpenVINO has it, and compare with ONNX Runtime."""
    config = OpenvinoConfig(tolerance=experiment.variants.tolerance)
    return Call(
        OPENVINO,
        config,
        experiment.timeouts.convert,
        {"model": model, "dataset": dataset},
        side_by_side=True,
    )
