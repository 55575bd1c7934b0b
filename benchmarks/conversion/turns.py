"""Times models against each other on a machine that is never quite the same from second to second.

Rules:

1. In a round every model has one turn, in the order in which they are given: A B C A B C …
2. A turn is some untimed runs, which bring the model back into the caches and its threads to work,
   and then some timed ones, of which the median counts.
3. A turn begins when the process has come to rest: worker threads of some backends go on spinning
   for a while after a run, and would take a core from whoever comes next.
4. A first round does not count.
"""

import statistics
import time
from collections.abc import Callable, Mapping

REST_SECONDS, REST_CPU_SECONDS = 0.01, 0.001
"""A process rests when all of its threads together used less than a tenth of a core's time."""
LOOKS = 300
"""How often to look before it is taken as it is; ONNX Runtime's threads spin for up to 1.5 s."""


def take_turns(
    candidates: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warmup: int,
    runs: int,
    clock: Callable[[], int] = time.perf_counter_ns,
    rest: Callable[[], None] | None = None,
    on_round: Callable[[int], None] = lambda done: None,
) -> dict[str, list[float]]:
    """One value (milliseconds) per candidate and round.

    Args:
        candidates: by name; each runs one inference.
        warmup, runs: untimed and timed runs per turn.
        clock: nanoseconds.
        rest: waits until nothing of this process runs; by default ``wait_for_rest``.
        on_round: called with the number of rounds done.
    """
    milliseconds: dict[str, list[float]] = {name: [] for name in candidates}
    for done in range(rounds + 1):
        for name, run in candidates.items():
            (rest or wait_for_rest)()
            value = _turn(run, warmup, runs, clock)
            if done > 0:
                milliseconds[name].append(value)
        on_round(done)
    return milliseconds


def _turn(run: Callable[[], object], warmup: int, runs: int, clock: Callable[[], int]) -> float:
    for _ in range(warmup):
        run()
    values = []
    for _ in range(runs):
        start = clock()
        run()
        values.append(clock() - start)
    return statistics.median(values) / 1e6


def wait_for_rest(
    cpu: Callable[[], float] = time.process_time, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Sleep until this process's threads do (rule 3)."""
    before = cpu()
    for _ in range(LOOKS):
        sleep(REST_SECONDS)
        now = cpu()
        if now - before < REST_CPU_SECONDS:
            return
        before = now
