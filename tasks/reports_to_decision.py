"""reports → decision

No stage of its own: a decision is about the registry of this moment, and belongs there.
"""

from prefect import task

from mmdet2tflite.artifacts import Dataset, Report
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.evaluate.promotion import Decision, Row, compare, decide
from mmdet2tflite.report.outcome import Outcome
from mmdet2tflite.report.rows import uniform_metrics
from mmdet2tflite.store.store import Store


@task(persist_result=False)
def reports_to_decision(
    experiment: Experiment, dataset: Dataset, champion: Outcome, candidate: Report, row: Row
) -> Decision:
    """Compare champion and candidate on draws of the same validation images.

    Args:
        row: the candidate in ``comparison.json``.
    """
    assert champion.report is not None
    store, settings = Store(experiment.store), experiment.promotion
    difference = compare(store, dataset, champion.report, candidate, settings)
    return decide(settings, row, uniform_metrics(champion), difference)
