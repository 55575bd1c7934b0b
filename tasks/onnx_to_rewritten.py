"""ONNX → rewritten ONNX"""

from mmdet2tflite.artifacts import Dataset, OnnxModel, RewrittenModel
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.config.names import PaddingName
from mmdet2tflite.graph.rewrite import REWRITE, RewriteConfig
from tasks.caching import Call, stage_task


@stage_task
def onnx_to_rewritten(
    experiment: Experiment, model: OnnxModel, dataset: Dataset, padding: PaddingName
) -> Call[RewrittenModel]:
    """Bring the graph into canonical form, apply a padding strategy, compare with the original."""
    config = RewriteConfig(padding=padding, tolerance=experiment.variants.tolerance)
    inputs = {"model": model, "dataset": dataset}
    return Call(
        REWRITE, config, experiment.timeouts.rewrite, inputs, label=padding, side_by_side=True
    )
