"""The data set of an experiment, for the commands that need no more of its pipeline."""

from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.data.prepare import DATASET
from mmdet2tflite.report.terminal import progress_bar
from mmdet2tflite.store.store import Store


def dataset_of(experiment: Experiment, store: Store) -> Dataset:
    """Make it, or find it in the store. Raises UserError."""
    timeout = experiment.timeouts.dataset
    with progress_bar("dataset") as on_progress:
        return DATASET.build(store, experiment.dataset, timeout=timeout, on_progress=on_progress)
