"""Which artefacts MLflow still refers to."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import mlflow

from mmdet2tflite.errors import RegistryError
from mmdet2tflite.safe_text import without_password
from tasks.tracking.runs import ORIGIN
from tasks.tracking.tracking_place import use_tracking


def used_artefacts(tracking: Path, since: datetime) -> set[tuple[str, str]]:
    """Stage and key of what runs since a date were about, and registered models with an alias.

    Args:
        since: with a time zone.

    Raises:
        RegistryError: there are no runs, so this is not the tracking that goes with the store.
        ServiceError: MLFLOW_TRACKING_URI names a server that does not answer.
    """
    use_tracking(tracking)
    client = mlflow.MlflowClient()
    experiments = [found.experiment_id for found in client.search_experiments()]
    if not client.search_runs(experiments, max_results=1):
        raise RegistryError(
            f"MLflow knows of no run at all ({without_password(mlflow.get_tracking_uri())})",
            "the runs that this store's artefacts were made by: what they refer to is kept",
            "check `tracking` and MLFLOW_TRACKING_URI",
        )
    runs = mlflow.search_runs(
        experiment_ids=experiments,
        filter_string=f"attributes.start_time >= {int(since.timestamp() * 1000)}",
        output_format="list",
    )
    tags = [run.data.tags for run in runs]
    for model in client.search_registered_models(max_results=1000):
        for number in set(model.aliases.values()):
            version = client.get_model_version(model.name, str(number))
            tags += [version.tags, client.get_run(str(version.run_id)).data.tags]
    return {place for each in tags for place in _places(each)}


def _places(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in tags.items():
        if name.startswith(ORIGIN):
            stage, key = value.split("/")
            yield stage, key
