"""What a benchmark found out, as a JSON value: everything that its page says."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from benchmarks.conversion.entry import Entry
from benchmarks.conversion.ratios import ratios, spread
from benchmarks.conversion.reasons import without_folders
from benchmarks.conversion.timing import Protocol, Rounds
from mmdet2tflite.artifacts import Dataset
from mmdet2tflite.backends.table import BACKENDS
from mmdet2tflite.config.experiment import Experiment
from mmdet2tflite.processes import machine

TOOLS = (
    "ai-edge-litert",
    "litert-quantizer",
    "mmdeploy",
    "mmdet",
    "mmdet2tflite",
    "onnx",
    "onnx2tf",
    "onnxruntime",
    "onnxsim",
    "openvino",
    "openvino2tensorflow",
    "tensorflow",
    "torch",
)
NOT_MEASURED = {
    "litert-torch": "it is not in this environment",
}


def describe_machine() -> dict[str, Any]:
    """Taken before the benchmark begins, so that ``load`` is other people's."""
    return {
        "cpu": machine.cpu_model(),
        "cores": machine.cores(),
        "load": machine.load(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def make_results(
    experiment: Experiment,
    dataset: Dataset,
    command: str,
    before: Mapping[str, Any],
    entries: Sequence[Entry],
    rounds: Rounds,
    protocol: Protocol,
) -> dict[str, Any]:
    """Put everything together.

    Args:
        before: what ``describe_machine`` found.
        entries: the first one is the base of all ratios.

    Returns:
        Each of ``rows`` has ``name``, ``command``, ``runtime``, ``failure``, ``metrics`` (those of
        its report) and ``latency``: by series ``ms`` and ``ratio`` (a ``Spread`` each) and the
        ``rounds`` (milliseconds) that both were computed of.
    """
    return {
        "experiment": experiment.name,
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "detector": experiment.detector.config.stem,
        "input_size": list(experiment.detector.input_size),
        "classes": len(dataset.classes),
        "images": experiment.evaluation.images or dataset.val.images,
        "calibration_images": min(experiment.variants.calibration_images, dataset.train.images),
        "machine": {**before, "load_after": machine.load()},
        "versions": {tool: version(tool) for tool in TOOLS},
        "protocol": protocol.model_dump(),
        "base": entries[0].name,
        "rows": make_rows(entries, rounds),
        "not_measured": NOT_MEASURED,
    }


def make_rows(entries: Iterable[Entry], rounds: Rounds) -> list[dict[str, Any]]:
    """One row per entry, in their order; ratios are to the first."""
    entries = list(entries)
    latencies: dict[str, dict[str, Any]] = {entry.name: {} for entry in entries}
    for series, values in rounds.items():
        for name, ratio in ratios(values, entries[0].name).items():
            latencies[name][series] = {
                "ms": asdict(spread(values[name])),
                "ratio": asdict(ratio),
                "rounds": values[name],
            }
    return [
        {
            "name": entry.name,
            "command": entry.command,
            "runtime": BACKENDS[entry.model.kind].name if entry.model else "",
            "failure": without_folders(entry.failure),
            "metrics": entry.report.metrics if entry.report else {},
            "latency": latencies[entry.name],
        }
        for entry in entries
    ]
