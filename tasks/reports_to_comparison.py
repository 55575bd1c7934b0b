"""reports → comparison"""

from collections.abc import Sequence

from mmdet2tflite.artifacts import Comparison, Dataset
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.report.compare import COMPARE, compare_config, compare_inputs
from mmdet2tflite.report.outcome import Outcome
from tasks.caching import Call, stage_task


@stage_task
def reports_to_comparison(
    experiment: Experiment, dataset: Dataset, outcomes: Sequence[Outcome]
) -> Call[Comparison]:
    """Put all models side by side, for programs and on a page for people."""
    config = compare_config(experiment, outcomes)
    return Call(COMPARE, config, experiment.timeouts.evaluate, compare_inputs(dataset, outcomes))
