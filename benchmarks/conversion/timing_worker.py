"""Child process: all models of a benchmark in one process, taking turns.

Argument: a JSON file with a ``TimingSpec``.
"""

import json
import sys
from pathlib import Path

from benchmarks.conversion.timing import SERIES, Rounds, Series, TimingSpec
from benchmarks.conversion.turns import take_turns
from mmdet2tflite.backends.runtimes import RUNTIMES
from mmdet2tflite.processes.toolchain import progress
from mmdet2tflite.runtime.images import input_tensor

BUILTIN = "builtin"
"""LiteRT's kernels without XNNPACK, as ``evaluate.runtimes`` calls them."""


def main() -> None:
    """Time every series, and write the rounds. Raises DataError, ModelError."""
    spec = TimingSpec.model_validate_json(Path(sys.argv[1]).read_bytes())
    rounds: Rounds = {series.name: _time(spec, series) for series in SERIES}
    spec.result.write_text(json.dumps(rounds), encoding="utf-8")


def _time(spec: TimingSpec, series: Series) -> dict[str, list[float]]:
    candidates = {}
    for name, candidate in spec.candidates.items():
        model, folder = candidate.model, candidate.folder
        engine = choose_engine(RUNTIMES[model.kind].engines, builtin=series.builtin)
        if engine is None:
            continue
        tensor, _ = input_tensor(spec.image, model.preprocessing)
        runner = RUNTIMES[model.kind].open(model, folder, engine, series.threads)
        candidates[name] = runner.bind(tensor)
    total = spec.protocol.rounds
    return take_turns(
        candidates,
        **spec.protocol.model_dump(),
        on_round=lambda done: progress(completed=done, total=total, description=series.name),
    )


def choose_engine(engines: tuple[str, ...], *, builtin: bool) -> str | None:
    """The engine of a runtime that takes part in a series; None if none does."""
    if builtin:
        return BUILTIN if BUILTIN in engines else None
    return engines[0]


if __name__ == "__main__":
    main()
