"""Where the files of a run are made: the engines that an experiment may name (docs/scale.md)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from prefect.context import FlowRunContext
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from mmdet2tflite.config.experiment import Dask, Experiment
from mmdet2tflite.processes.interruption import interruptible
from mmdet2tflite.processes.machine import cores

type Runner = AbstractContextManager[TaskRunner[Any]]


def _threads(experiment: Experiment) -> Runner:
    return ThreadPoolTaskRunner(max_workers=cores())


def _dask(experiment: Experiment) -> Runner:
    from flows.running.dask_runner import dask_runner  # Dask is slow to import

    return dask_runner(experiment)


TASK_RUNNERS: dict[str, Callable[[Experiment], Runner]] = {"threads": _threads, "dask": _dask}
"""By ``runner.kind`` of the experiment."""


@contextmanager
def side_by_side(experiment: Experiment) -> Iterator[None]:
    """What a flow submits in here is made by the runner that the experiment names.

    A flow's own runner is chosen when its module is imported, before there is an experiment.

    Raises:
        ServiceError: the machines that shall do it cannot be reached, or cannot do it.
    """
    flow_run = FlowRunContext.get()
    assert flow_run is not None
    with (
        TASK_RUNNERS[experiment.runner.kind](experiment) as task_runner,
        flow_run.model_copy(update={"task_runner": task_runner}),
        interruptible(),
    ):
        yield


def check_machines(experiment: Experiment) -> None:
    """Ask the machines of a cluster that runs already, before hours of training are spent.

    Raises:
        ServiceError: they cannot be reached, or cannot do the work.
    """
    if isinstance(experiment.runner, Dask) and experiment.runner.address:
        with _dask(experiment):
            pass
