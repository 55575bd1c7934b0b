"""``python -m flows EXPERIMENT [--set KEY=VALUE …]``: the main path, with a server if need be."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.processes.exit_status import run_and_report
from mmdet2tflite.store.store import Store
from tasks.servers.databases import check_databases
from tasks.servers.server import is_alone, start_server


def main() -> int:
    """Run the experiment named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows")
    parser.add_argument("experiment")
    parser.add_argument("--set", dest="overrides", action="append", default=[])
    arguments = parser.parse_args()
    return run_and_report(lambda: run(arguments.experiment, arguments.overrides))


def run(experiment: str, overrides: Sequence[str]) -> None:
    """Run an experiment.

    Raises what the flow raises; before anything starts, StoreError and ServiceError.
    """
    settings = load_experiment(Path(experiment), overrides)
    Store(settings.store).check()
    check_databases(settings.tracking)
    alone = is_alone()
    wait_for_server = start_server()
    if alone:  # a mistake in the data shows while its server starts; the flow finds it cached
        from tasks.config_to_dataset import config_to_dataset

        config_to_dataset.fn(settings)
    # MLflow takes about as long to import as the server takes to start.
    from flows.detector_to_tflite import detector_to_tflite

    wait_for_server()
    detector_to_tflite(experiment, overrides)


if __name__ == "__main__":
    sys.exit(main())
