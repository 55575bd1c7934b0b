"""What happens in a Dask worker besides the tasks: telling the flow about them, being checked."""

import io
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import override
from uuid import uuid4

import distributed
import fsspec
import httpx
from distributed.diagnostics.plugin import WorkerPlugin
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings

from mmdet2tflite.errors import UserError
from mmdet2tflite.files.digest import file_sha256, json_sha256
from mmdet2tflite.processes.interruption import interrupt
from mmdet2tflite.report.terminal import console
from tasks.servers.password import check_prefect_password

PACKAGES = ("flows", "tasks", "mmdet2tflite")
SECONDS_TO_ANSWER = 10


class Worker(WorkerPlugin):
    """Makes a Dask worker one of ours; the same for all flows that share it."""

    name = "mmdet2tflite"
    idempotent = True

    @override
    def setup(self, worker: distributed.Worker) -> None:
        """Lines about stages go to the flow's terminal, and Ctrl-C to the nanny alone.

        A terminal sends it to all processes. The nanny tells this one to end, and waits for that;
        by itself it would end at once, and leave behind what its tools have started.
        """
        if worker.nanny is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        console.file = _ToFlow()  # type: ignore[assignment]  # all that rich needs of a file

    @override
    def teardown(self, worker: distributed.Worker) -> None:
        """Whatever runs here ends before the worker does, its tools too."""
        interrupt()


class _ToFlow(io.TextIOBase):
    """What a task's own thread writes goes to its flow; anything else to this process's output."""

    @override
    def write(self, text: str) -> int:
        context = FlowRunContext.get()
        if context is None or context.flow_run is None:
            return sys.stdout.write(text)
        distributed.get_worker().log_event(str(context.flow_run.id), text)
        return len(text)

    @override
    def flush(self) -> None:
        sys.stdout.flush()


@dataclass(frozen=True)
class Question:
    """What a worker must have in common with the flow's process."""

    store: str
    token: str
    checkout: str
    prefect: str


@contextmanager
def seen_by_workers(store: str) -> Iterator[Question]:
    """Leave a file in the store for as long as the workers are asked for it."""
    filesystem, root = fsspec.core.url_to_fs(store)
    token = f".seen-{uuid4().hex}"
    filesystem.makedirs(root, exist_ok=True)
    filesystem.pipe_file(f"{root}/{token}", b"")
    try:
        yield Question(store, token, _checkout(), _prefect())
    finally:
        filesystem.rm_file(f"{root}/{token}")


def refusal(question: Question) -> str:
    """Called in a worker: why it cannot work for the flow; empty if it can."""
    if _checkout() != question.checkout:
        return f"its checkout in {Path.cwd()} has another source"
    filesystem, root = fsspec.core.url_to_fs(question.store)
    if not filesystem.exists(f"{root}/{question.token}"):
        return f"its store {root} is not that of this process"
    try:
        httpx.get(f"{question.prefect}/health", timeout=SECONDS_TO_ANSWER).raise_for_status()
        check_prefect_password(question.prefect)
    except httpx.HTTPError as error:
        return f"no Prefect server answers there at {question.prefect}: {error}"
    except UserError as error:
        return error.found
    return ""


def _prefect() -> str:
    return get_current_settings().api.url or ""


def _checkout() -> str:
    """Digest of the source in the current folder."""
    files = sorted(path for package in PACKAGES for path in Path(package).rglob("*.py"))
    return json_sha256({str(path): file_sha256(path) for path in files})
