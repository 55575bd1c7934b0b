"""checkpoint → ONNX"""

from mmdet2tflite.artifacts import Checkpoint, Dataset, OnnxModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.detector.export import EXPORT
from tasks.caching import Call, stage_task


@stage_task
def checkpoint_to_onnx(
    experiment: Experiment, checkpoint: Checkpoint, dataset: Dataset
) -> Call[OnnxModel]:
    """Export with mmdeploy, cut before the post-processing, and compare with PyTorch."""
    inputs = {"checkpoint": checkpoint, "dataset": dataset}
    return Call(EXPORT, experiment.export, experiment.timeouts.export, inputs)
