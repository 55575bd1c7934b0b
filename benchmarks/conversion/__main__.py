"""``python -m benchmarks.conversion EXPERIMENT [--set KEY=VALUE …] [--rounds N] [--out FOLDER]``

Measures this project's files against the stock outputs of other tools.
"""

import argparse
import sys
from pathlib import Path

from mmdet2tflite.processes.exit_status import run_and_report
from mmdet2tflite.processes.replace_process import replace_process

FOLDER = Path("docs", "benchmarks")


def main() -> int:
    """Check the arguments, then become the flow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conversion", description=__doc__)
    parser.add_argument("experiment", type=Path, help="experiment file (YAML)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--rounds", type=_positive, default=30, help="by default 30")
    parser.add_argument("--out", type=Path, help=f"folder of the page, by default {FOLDER}")
    return run_and_report(lambda: _become_flow(parser.parse_args()))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _become_flow(arguments: argparse.Namespace) -> None:
    from mmdet2tflite.config.loading import load_experiment
    from mmdet2tflite.config.project import project_root

    load_experiment(arguments.experiment, arguments.overrides)
    root = project_root()
    out = arguments.out.absolute() if arguments.out else root / FOLDER
    words = [str(arguments.experiment.resolve())]
    words += ["--out", str(out), "--rounds", str(arguments.rounds)]
    for override in arguments.overrides:
        words += ["--set", override]
    replace_process(root, "benchmarks.conversion.flow", words)


if __name__ == "__main__":
    sys.exit(main())
