"""``python -m flows EXPERIMENT [--set KEY=VALUE …]``: the main path, with a server if need be."""

from mmdet2tflite.cli.command_line import ExperimentFile, Overrides, run_command
from mmdet2tflite.config.loading import load_experiment
from mmdet2tflite.store.store import Store
from tasks.servers.databases import check_databases
from tasks.servers.server import is_alone, start_server


def run(experiment: ExperimentFile, overrides: Overrides = None) -> None:
    """Run an experiment.

    Raises what the flow raises; before anything starts, StoreError and ServiceError.
    """
    settings = load_experiment(experiment, overrides or ())
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
    detector_to_tflite(str(experiment), overrides or ())


if __name__ == "__main__":
    run_command(run)
