"""``python -m benchmarks.random_networks --count 10000 --seed 0``: random networks, converted.

Each is drawn by its number, converted as ``mmdet2tflite convert`` does it, by onnx2tf's own writer,
and the file is compared with the ONNX in ONNX Runtime on other inputs. A record in the folder holds
a line for each; the same command goes on where it was interrupted. Ends with status 1 if a file is
wrong or a traceback escapes.
"""

import argparse
import signal
import sys
from pathlib import Path

from benchmarks.random_networks.summary import summarise
from benchmarks.random_networks.verdict import FAILURES, Verdict, read
from benchmarks.random_networks.workers import convert_all
from mmdet2tflite.processes.exit_status import run_and_report

RECORD = "networks.jsonl"


def main() -> int:
    """Convert what the record lacks, and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.random_networks")
    parser.add_argument("--count", type=int, default=10_000, help="by default 10,000")
    parser.add_argument("--seed", type=int, default=0, help="of the first network")
    parser.add_argument("--jobs", type=int, default=2, help="side by side, by default 2")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for a network")
    parser.add_argument(
        "--out", type=Path, default=Path("artifacts", "random_networks"), help="for the record"
    )
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # `… &` lets the first be ignored
        signal.signal(number, signal.default_int_handler)
    failed: list[int] = []

    def run() -> None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        record = arguments.out / RECORD
        seeds = range(arguments.seed, arguments.seed + arguments.count)
        convert_all(seeds, record, arguments.jobs, arguments.timeout)
        verdicts = [v for v in _read(record).values() if v.seed in seeds]
        print(summarise(verdicts))
        failed.extend(verdict.seed for verdict in verdicts if verdict.outcome in FAILURES)

    return run_and_report(run) or int(bool(failed))


def _read(record: Path) -> dict[int, Verdict]:
    with record.open(encoding="utf-8") as lines:
        return read(lines)


if __name__ == "__main__":
    sys.exit(main())
