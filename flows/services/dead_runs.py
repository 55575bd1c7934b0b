"""Runs of a worker that is dead: Prefect would show them as Running for ever.

A run is a child of its worker and dies with it (``mmdet2tflite.processes.child``). So whoever knows
that a worker is dead, because it starts that worker, knows the same of its runs.
"""

from typing import Any

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled, Crashed

WORKER = "prefect.worker.name"
"""Label that a worker gives to a run when it takes it."""
UNFINISHED = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
MESSAGE = "Its worker died. Run it again: finished stages are kept, a training goes on."


def close_runs_of(worker: str, pool: str) -> list[str]:
    """Mark what a dead worker had taken as Crashed, which also frees its place in the queue.

    Args:
        worker: a name that no living worker has.

    Returns:
        The names of the runs.
    """
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=_unfinished()),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool])),
        )
        dead = [run for run in found if run.labels.get(WORKER) == worker]
        for run in dead:
            _close(client, run)
    return [run.name for run in dead]


def _close(client: SyncPrefectClient, run: FlowRun) -> None:
    """A run, the flows that it called, and its tasks."""
    called = FlowRunFilterParentFlowRunId(any_=[run.id])
    for child in client.read_flow_runs(
        flow_run_filter=FlowRunFilter(parent_flow_run_id=called, state=_unfinished())
    ):
        _close(client, child)
    for task in client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])),
        task_run_filter=TaskRunFilter(
            state=TaskRunFilterState(type=TaskRunFilterStateType(any_=UNFINISHED))
        ),
    ):
        client.set_task_run_state(task.id, Crashed(message=MESSAGE))
    asked = run.state is not None and run.state.is_cancelling()
    end: State[Any] = Cancelled(message=MESSAGE) if asked else Crashed(message=MESSAGE)
    client.set_flow_run_state(run.id, end)


def _unfinished() -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED))
