"""data set → checkpoint"""

from mmdet2tflite.artifacts import Checkpoint, Dataset
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.detector.train import TRAIN, TrainConfig
from tasks.caching import Call, stage_task


@stage_task
def dataset_to_checkpoint(experiment: Experiment, dataset: Dataset) -> Call[Checkpoint]:
    """Train with mmdet's Runner; an interrupted training goes on from its last epoch."""
    config = TrainConfig(detector=experiment.detector, training=experiment.training)
    return Call(TRAIN, config, experiment.timeouts.training_silence, {"dataset": dataset})
