"""How long one inference takes."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmdet2tflite.processes import machine


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one inference: median, 90th percentile, first and third quartile."""

    median: float
    p90: float
    quartiles: tuple[float, float]


def measure(
    candidates: Mapping[str, Callable[[], object]],
    warmup: int,
    runs: int,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, Timing]:
    """Time functions against each other.

    All are warmed up first. Then they take turns, one run each: what the machine does meanwhile
    (frequency, other processes) hits all alike.

    Args:
        candidates: by name; each runs one inference.
        warmup, runs: per candidate.
        clock: nanoseconds.
    """
    for run in candidates.values():
        for _ in range(warmup):
            run()
    nanoseconds: dict[str, list[int]] = {name: [] for name in candidates}
    for _ in range(runs):
        for name, run in candidates.items():
            start = clock()
            run()
            nanoseconds[name].append(clock() - start)
    return {name: _timing(np.array(values) / 1e6) for name, values in nanoseconds.items()}


def _timing(milliseconds: NDArray[np.float64]) -> Timing:
    first, median, third, p90 = np.percentile(milliseconds, (25, 50, 75, 90)).tolist()
    return Timing(median, p90, (first, third))


def thread_counts(threads: tuple[int, ...]) -> list[int]:
    """The counts to measure: 0 becomes the number of cores, doubles are dropped."""
    return list(dict.fromkeys(machine.threads_used(count) for count in threads))


def latency_metrics(timings: Mapping[str, Timing]) -> dict[str, float]:
    """``latency_ms.<kernel set>.<threads>`` and the same with ``.p90``."""
    metrics = {}
    for name, timing in timings.items():
        metrics[f"latency_ms.{name}"] = timing.median
        metrics[f"latency_ms.{name}.p90"] = timing.p90
    return metrics
