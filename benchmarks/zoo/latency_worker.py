"""Child process: TFLite files take turns; prints milliseconds by file and round as JSON.

Arguments: the files. LiteRT with XNNPACK, one thread.
"""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.conversion.turns import take_turns

ROUNDS, WARMUP = 9, 1
TURN_SECONDS, MOST_RUNS = 0.1, 20


def main() -> None:
    """Time and print."""
    candidates = {file: _bind(file) for file in sys.argv[1:]}
    slowest = max(_seconds(run) for run in candidates.values())
    runs = max(1, min(MOST_RUNS, round(TURN_SECONDS / max(slowest, 1e-6))))
    rounds = take_turns(candidates, rounds=ROUNDS, warmup=WARMUP, runs=runs)
    print("\n" + json.dumps(list(rounds.values())))


def _bind(file: str) -> Callable[[], object]:
    interpreter = Interpreter(file, num_threads=1)
    interpreter.allocate_tensors()
    random = np.random.default_rng(0)
    for each in interpreter.get_input_details():
        values = random.standard_normal(each["shape"]).astype(each["dtype"])
        interpreter.set_tensor(each["index"], values)
    return interpreter.invoke


def _seconds(run: Callable[[], object]) -> float:
    run()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
