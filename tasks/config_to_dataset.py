"""config → data set"""

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.data.prepare import DATASET
from tasks.caching import Call, stage_task


@stage_task
def config_to_dataset(experiment: Experiment) -> Call[Dataset]:
    """Draw or read the data set, and check it before hours are spent on it."""
    return Call(DATASET, experiment.dataset, experiment.timeouts.dataset)
