"""ONNX → what another tool makes of it by itself"""

from benchmarks.conversion.recipes import RecipeName
from benchmarks.conversion.stock import STOCK, Stock, StockConfig
from mmdet2tflite.artifacts import Dataset, OnnxModel
from mmdet2tflite.config.experiment import Experiment
from tasks.caching import Call, stage_task


@stage_task
def onnx_to_stock(
    experiment: Experiment, model: OnnxModel, dataset: Dataset, recipe: RecipeName
) -> Call[Stock]:
    """Make a benchmark's rival, calibrated on the images of our own quantiser where needed."""
    config = StockConfig.of(recipe, experiment.variants.calibration_images)
    inputs = {"model": model, "dataset": dataset}
    return Call(STOCK, config, experiment.timeouts.convert, inputs, label=recipe)
