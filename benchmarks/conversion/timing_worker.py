"""Child process: all models of a benchmark in one process, taking turns."""

from benchmarks.conversion.timing import SERIES, Rounds, Series, TimingRequest
from benchmarks.conversion.turns import take_turns
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.processes.messages import answer, progress
from mmdet2tflite.runtime.images import input_tensor

BUILTIN = "builtin"
"""LiteRT's kernels without XNNPACK, as ``backends.table`` calls them."""


def time_all(request: TimingRequest) -> Rounds:
    """Time every series. Raises DataError, ModelError."""
    return {series.name: _time(request, series) for series in SERIES}


def _time(request: TimingRequest, series: Series) -> dict[str, list[float]]:
    candidates = {}
    for name, candidate in request.candidates.items():
        model, folder = candidate.model, candidate.folder
        kernel_set = choose_kernel_set(BACKENDS[model.kind].kernel_sets, builtin=series.builtin)
        if kernel_set is None:
            continue
        tensor, _ = input_tensor(request.image, model.preprocessing)
        runner = BACKENDS[model.kind].open(model, folder, kernel_set, series.threads)
        candidates[name] = runner.bind(tensor)
    total = request.protocol.rounds
    return take_turns(
        candidates,
        **request.protocol.model_dump(),
        on_round=lambda done: progress(completed=done, total=total, description=series.name),
    )


def choose_kernel_set(kernel_sets: tuple[str, ...], *, builtin: bool) -> str | None:
    """The kernels of a backend that take part in a series; None if none do."""
    if builtin:
        return BUILTIN if BUILTIN in kernel_sets else None
    return kernel_sets[0]


if __name__ == "__main__":
    answer(time_all, TimingRequest)
