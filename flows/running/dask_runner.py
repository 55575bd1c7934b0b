"""Files of a run made by Dask: on worker processes of its own, or on a cluster that runs already.

A worker needs what this process has: the checkout, the store, Prefect's server, and the images of
the data set at the same path. It starts its tools in child processes, which die with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, override

import distributed
from prefect.context import FlowRunContext
from prefect_dask.task_runners import DaskTaskRunner, PrefectDaskFuture

from flows.running.dask_worker import Worker, refusal, seen_by_workers
from mmdet2tflite.config.experiment import Dask, Experiment
from mmdet2tflite.errors import ServiceError, ToolFailed
from mmdet2tflite.processes.machine import cores
from mmdet2tflite.report.terminal import console

SECONDS_TO_ANSWER = 10


@contextmanager
def dask_runner(experiment: Experiment) -> Iterator[DaskTaskRunner]:
    """A task runner on the cluster that the experiment names; one of its own ends with the block.

    Raises:
        ServiceError: no scheduler at the address, no worker, or one that cannot do the work.
    """
    settings = experiment.runner
    assert isinstance(settings, Dask)
    with _DaskRunner(**_cluster(settings)) as runner:
        client = _connected(runner, settings)
        if settings.address:
            _check_workers(client, settings.address, experiment.store)
        client.register_plugin(Worker())
        flow_run = FlowRunContext.get()
        assert flow_run is not None
        assert flow_run.flow_run is not None
        client.subscribe_topic(str(flow_run.flow_run.id), _print)
        yield runner


class _DaskRunner(DaskTaskRunner):
    """Dask's runner, whose futures explain a worker that died."""

    @override
    def submit(self, *args: Any, **kwargs: Any) -> "_Future":  # type: ignore[override]
        future = super().submit(*args, **kwargs)
        return _Future(wrapped_future=future.wrapped_future, task_run_id=future.task_run_id)


class _Future(PrefectDaskFuture[Any]):
    """What became of it is known once it was waited for: the cluster may be gone after that."""

    _lost: Exception | None = None

    @override
    def wait(self, timeout: float | None = None) -> None:
        try:
            self._final_state = self.wrapped_future.result(timeout)
        except TimeoutError:
            return
        except Exception as error:
            self._lost = _explained(error)

    @override
    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> Any:
        """Raises ToolFailed if each worker that made it died, ServiceError if the cluster did."""
        if self._final_state is None and self._lost is None:
            self.wait(timeout)
        if self._lost:
            raise self._lost
        return super().result(timeout, raise_on_failure)


def _explained(error: Exception) -> Exception:
    if isinstance(error, distributed.KilledWorker):
        return ToolFailed(
            f"{error.allowed_failures + 1} Dask workers died, one after the other, making this;"
            f" the last was {error.last_worker.address}",
            "worker processes that live until they are told to end",
            "look for the reason in the worker's output and the machine's log (out of memory?)",
        )
    if isinstance(error, distributed.CancelledError):
        return ServiceError(
            f"the Dask cluster is gone: {error}",
            "a scheduler that runs until this does not need it any more",
            "start it and run again; finished stages are kept",
        )
    return error


def _cluster(settings: Dask) -> dict[str, Any]:
    if settings.address:
        return {"address": settings.address, "client_kwargs": {"timeout": SECONDS_TO_ANSWER}}
    local = {
        "n_workers": settings.workers or cores(),
        "threads_per_worker": 1,
        "memory_limit": None,  # what needs memory are the tools, which Dask does not see
        "dashboard_address": None,
    }
    return {"cluster_kwargs": local}


def _connected(runner: DaskTaskRunner, settings: Dask) -> distributed.Client:
    try:
        return runner.client
    except OSError as error:
        raise ServiceError(
            f"no Dask scheduler answers at {settings.address}: {error}",
            "a scheduler that runs, at an address that this machine reaches",
            "start it (`dask scheduler`, docs/scale.md), or correct runner.address",
        ) from None


def _check_workers(client: distributed.Client, address: str, store: str) -> None:
    """Raises ServiceError."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise ServiceError(
            f"the Dask scheduler at {address} has no worker",
            "at least one",
            f"start some: `.venv/bin/python -m distributed.cli.dask_worker {address} --nthreads 1` "
            "in the project's folder (docs/scale.md)",
        )
    with seen_by_workers(store) as question:
        answers = client.run(refusal, question, on_error="return")
    for worker, answer in answers.items():
        if answer:
            raise ServiceError(
                f"the Dask worker {worker} cannot make files for this run: {answer}",
                "workers with the same checkout, store and Prefect server as this process",
                "see docs/scale.md, “Dask”",
            )


def _print(event: tuple[float, str]) -> None:
    console.print(event[1], end="", markup=False, soft_wrap=True)
