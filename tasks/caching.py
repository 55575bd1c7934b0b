"""Turns a stage into a Prefect task; the only place where a cache key is made.

A stage task describes one call: of which stage, with which section of the experiment, on which
artefacts, and how long it may take. Key, cache, progress and messages are the same for all and live
here.
"""

import functools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Concatenate

from prefect import Task, task
from prefect.cache_policies import CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.results import ResultStore
from prefect.settings import get_current_settings

from mmdet2tflite.artifacts import Artifact
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.errors import UserError
from mmdet2tflite.files.digest import json_sha256
from mmdet2tflite.processes import machine
from mmdet2tflite.report.terminal import (
    announce,
    announce_failure,
    announce_retry,
    arrow_title,
    progress_bar,
    say_waiting,
)
from mmdet2tflite.stage import Stage
from mmdet2tflite.store.store import Store
from tasks.retrying import SECONDS_TO_WAIT, may_pass, store_answered

RECORDS = "mmdet2tflite-keys"


@dataclass(frozen=True)
class Call[T: Artifact]:
    """One call of a stage, which gives a T.

    Args:
        label: tells calls of the same stage apart in the terminal.
        side_by_side: several may run at once, as many as there are cores, and none while something
            is measured.
    """

    stage: Stage[T]
    config: Any
    timeout: float
    inputs: Mapping[str, Artifact | None] = field(default_factory=dict)
    label: str = ""
    side_by_side: bool = False


class StoreKey(CachePolicy):
    """Prefect's cache key is the store's key, and its record of that says what the store says.

    So whatever became of an artefact since, on this machine or another one that shares the store,
    is seen; and what another one made is as cached as one's own.
    """

    def __init__(self, describe: Callable[..., Call[Any]]) -> None:
        records = Path(get_current_settings().results.local_storage_path) / RECORDS
        super().__init__(key_storage=records)
        self._records, self._describe = records, describe

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str | None:
        """``<stage>-<key>-<store>``, or None where the call is wrong (its body will say how)."""
        try:
            call = self._describe(**inputs)
            key = call.stage.key(call.config, **call.inputs)
            store = Store(inputs["experiment"].store)
            artifact = store.find(call.stage.name, key)
            store_answered.set()
        except UserError:
            return None
        name = f"{call.stage.name}-{key}-{json_sha256(store.root)[:8]}"
        if artifact is None:
            # Prefect has no other way to take a record back for one set of inputs.
            (self._records / name).unlink(missing_ok=True)
        elif _recorded(task_ctx.result_store, name) != artifact:
            task_ctx.result_store.write(artifact, key=name)
        return name


def _recorded(records: ResultStore, name: str) -> Any:
    try:
        return records.read(name).result if records.exists(name) else None
    except (OSError, ValueError):  # without the result that it tells of
        return None


def stage_task[**P, T: Artifact](
    describe: Callable[Concatenate[Experiment, P], Call[T]],
) -> Task[Concatenate[Experiment, P], T]:
    """Decorator: makes ``describe(experiment, …) → Call[T]`` the Prefect task that gives the T."""

    def name(parameters: dict[str, Any]) -> str:
        call = describe(**parameters)  # type: ignore[call-arg]  # the experiment is among them
        return call.label or describe.__name__

    def run(experiment: Experiment, /, *args: P.args, **inputs: P.kwargs) -> T:
        call = describe(experiment, *args, **inputs)
        title = f"{call.stage.name} {call.label}".strip()
        try:
            with (
                machine.one_core() if call.side_by_side else nullcontext(),
                progress_bar(title) as on_progress,
            ):
                return call.stage.build(
                    Store(experiment.store),
                    call.config,
                    timeout=call.timeout,
                    on_progress=on_progress,
                    on_wait=lambda: say_waiting(title),
                    **call.inputs,
                )
        except UserError as error:
            announce_failure(arrow_title(describe.__name__, call.label), str(error))
            raise

    functools.update_wrapper(run, describe)
    return task(
        name=describe.__name__,
        description=describe.__doc__,
        cache_policy=StoreKey(describe),
        persist_result=True,
        task_run_name=name,  # type: ignore[arg-type]  # Prefect's protocol fits no function
        on_completion=[_report],
        retries=len(SECONDS_TO_WAIT),
        retry_delay_seconds=list(SECONDS_TO_WAIT),
        retry_condition_fn=_try_again,
    )(run)


def _try_again(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Asked by Prefect as long as there are attempts left."""
    error = state.result(raise_on_failure=False)
    if not isinstance(error, Exception) or not may_pass(error):
        return False
    announce_retry(SECONDS_TO_WAIT[run.run_count - 1])
    return True


def _report(task: Task[..., Any], run: Any, state: Any) -> None:
    label = "" if run.name == task.name else run.name
    announce(task.name, label, state.name, run.total_run_time.total_seconds())
