"""data set → checkpoint"""

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from tasks.caching import Call, stage_task


@stage_task(TRAIN)
def dataset_to_checkpoint(experiment: Experiment, dataset: Dataset) -> Call:
    """Train with mmdet's Runner; an interrupted training goes on from its last epoch."""
    config = TrainConfig(detector=experiment.detector, training=experiment.training)
    return Call(config, experiment.timeouts.training_silence, {"dataset": dataset})
