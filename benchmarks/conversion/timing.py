"""Times all models of a benchmark in one child process that has the machine to itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from benchmarks.conversion.entry import Entry
from mmdet2tflite.artifacts import Frozen
from mmdet2tflite.processes import machine
from mmdet2tflite.processes.toolchain import WITHOUT_TELEMETRY, OnProgress
from mmdet2tflite.report.outcome import Measurable
from mmdet2tflite.stage import Job
from mmdet2tflite.store.store import Store

Rounds = dict[str, dict[str, list[float]]]
"""Milliseconds of each round, by series and model."""


class Series(Frozen):
    """One table of ratios. ``builtin``: TFLite files alone, by LiteRT's builtin kernels."""

    threads: int
    builtin: bool = False

    @property
    def name(self) -> str:
        """``1 thread``, ``builtin, 1 thread``."""
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"builtin, {threads}" if self.builtin else threads


SERIES = (Series(threads=1), Series(threads=2), Series(threads=1, builtin=True))


class Protocol(Frozen):
    """How often, see ``turns.py``."""

    rounds: int = 30
    warmup: int = 2
    runs: int = 10


class Candidate(Frozen):
    """A model and the folder of its artefact."""

    model: Annotated[Measurable, Field(discriminator="kind")]
    folder: Path


class TimingRequest(Frozen):
    """What the child is asked. It returns ``Rounds``."""

    candidates: dict[str, Candidate]
    image: Path
    protocol: Protocol


def time_entries(
    store: Store,
    entries: Sequence[Entry],
    image: Path,
    protocol: Protocol,
    timeout: float,
    on_progress: OnProgress,
) -> Rounds:
    """Time all entries that have a model, in their order.

    Args:
        image: the input of all.
        timeout: seconds for the child.

    Raises:
        ModelError: a model does not load.
        ToolFailed: the child failed or ran into its time-out.
    """
    work = (store.work / "benchmark").resolve()
    request = TimingRequest(
        candidates={
            entry.name: Candidate(model=entry.model, folder=store.path(entry.model).resolve())
            for entry in entries
            if entry.model
        },
        image=image,
        protocol=protocol,
    )
    with machine.alone():
        return Job(store, work, timeout, on_progress).ask(
            "ai-edge-litert",
            "benchmarks.conversion.timing_worker",
            request,
            Rounds,
            log="timing",
            environment=WITHOUT_TELEMETRY,
        )
