"""Both files of a network, timed against each other in a child that has the machine to itself."""

import json
import statistics
from pathlib import Path

from benchmarks.conversion.ratios import ratios
from benchmarks.zoo.children import run_child
from benchmarks.zoo.conversion import TFLITE
from benchmarks.zoo.record import TOOLS, Record
from mmdet2tflite.processes import machine

TIMEOUT = 300.0


def time_files(record: Record, folder: Path) -> None:
    """Write milliseconds and their ratio into the record.

    Raises:
        RuntimeError: a file does not run.
    """
    words = ["benchmarks.zoo.latency_worker", *(str(folder / TFLITE[tool]) for tool in TOOLS)]
    with machine.alone():
        ended = run_child(words, folder / "latency.log", TIMEOUT)
    if ended.status != 0:
        raise RuntimeError(f"{record.name} cannot be timed: {ended.reason}")
    rounds = dict(zip(TOOLS, json.loads(ended.last_line), strict=True))
    record.milliseconds = {tool: statistics.median(rounds[tool]) for tool in TOOLS}
    record.ratio = ratios(rounds, "plain")["ours"].median
