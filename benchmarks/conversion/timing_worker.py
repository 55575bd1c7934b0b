"""Child process: all models of a benchmark in one process, taking turns.

Argument: a JSON file with a ``TimingSpec``.
"""

import json
import sys
from pathlib import Path

from benchmarks.conversion.timing import SERIES, Rounds, Series, TimingSpec
from benchmarks.conversion.turns import take_turns
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.processes.messages import progress
from mmdet2tflite.runtime.images import input_tensor

BUILTIN = "builtin"
"""LiteRT's kernels without XNNPACK, as ``backends.table`` calls them."""


def main() -> None:
    """Time every series, and write the rounds. Raises DataError, ModelError."""
    spec = TimingSpec.model_validate_json(Path(sys.argv[1]).read_bytes())
    rounds: Rounds = {series.name: _time(spec, series) for series in SERIES}
    spec.result.write_text(json.dumps(rounds), encoding="utf-8")


def _time(spec: TimingSpec, series: Series) -> dict[str, list[float]]:
    candidates = {}
    for name, candidate in spec.candidates.items():
        model, folder = candidate.model, candidate.folder
        kernel_set = choose_kernel_set(BACKENDS[model.kind].kernel_sets, builtin=series.builtin)
        if kernel_set is None:
            continue
        tensor, _ = input_tensor(spec.image, model.preprocessing)
        runner = BACKENDS[model.kind].open(model, folder, kernel_set, series.threads)
        candidates[name] = runner.bind(tensor)
    total = spec.protocol.rounds
    return take_turns(
        candidates,
        **spec.protocol.model_dump(),
        on_round=lambda done: progress(completed=done, total=total, description=series.name),
    )


def choose_kernel_set(kernel_sets: tuple[str, ...], *, builtin: bool) -> str | None:
    """The kernels of a backend that take part in a series; None if none do."""
    if builtin:
        return BUILTIN if BUILTIN in kernel_sets else None
    return kernel_sets[0]


if __name__ == "__main__":
    main()
